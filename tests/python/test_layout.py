"""The structures and functions of the package are those of include/decavox.h."""
import ctypes
import os
import re
import subprocess
import sys

import package

sys.path.insert(0, os.path.join(package.ROOT, "tests", "install"))
import check_abi  # noqa: E402
from decavox import _c, _errors  # noqa: E402

HEADER = check_abi.HEADER.read_text()


def of_c(structure):
    """check_abi.py's line of a structure, without the types."""
    fields = [(name, getattr(structure, name).offset) for name, _ in structure._fields_]
    parts = [f"{structure.c_name}: {ctypes.sizeof(structure)} bytes"]
    return ", ".join(parts + [f"{name} at {offset}" for name, offset in fields])


class Layout(package.Case):
    def test_structures(self):
        """Fields have the offsets and sizes of the compiler."""
        text = check_abi.without_comments(HEADER)
        known = check_abi.structs(text)
        lines = [line for line in check_abi.layout(check_abi.HEADER, text) if " bytes, " in line]
        plain = {re.sub(r", [^,]*?(\w+ at \d+)", r", \1", line) for line in lines}
        ours = {of_c(structure) for structure in _c.STRUCTURES}
        self.assertEqual(ours, plain)
        self.assertEqual({structure.c_name for structure in _c.STRUCTURES}, set(known))

    def test_sizes_of_fields(self):
        sizes = [(structure, name, ctypes.sizeof(kind)) for structure in _c.STRUCTURES
                 for name, kind in structure._fields_]
        lines = [f'printf("%zu\\n", sizeof((({structure.c_name} *)0)->{name}));'
                 for structure, name, _ in sizes]
        source, program = self.at("sizes.c"), self.at("sizes")
        with open(source, "w", encoding="utf-8") as file:
            file.write(f'#include "{check_abi.HEADER}"\n#include <stdio.h>\nint main(void)\n{{\n'
                       + "\n".join(lines) + "\nreturn 0;\n}\n")
        subprocess.run(["cc", "-std=c99", source, "-o", program], check=True)
        told = subprocess.run([program], check=True, capture_output=True, text=True).stdout.split()
        self.assertEqual([size for _, _, size in sizes], list(map(int, told)))

    def test_functions(self):
        """The package has all functions of the header, with as many arguments, and no others."""
        text = check_abi.without_comments(HEADER)
        found = {}
        for prototype in check_abi.prototypes(text):
            if not prototype.startswith("typedef"):
                name, arguments = re.search(r"\b(dv_\w+)\((.*)\)$", prototype).groups()
                found[name] = 0 if arguments == "void" else arguments.count(",") + 1
        unused = {"dv_status_text", "dv_config_text"}
        self.assertEqual({name: len(arguments) for name, (_, arguments) in _c.FUNCTIONS.items()},
                         {name: count for name, count in found.items() if name not in unused})

    def test_statuses_and_enums(self):
        values = check_abi.enums(check_abi.without_comments(HEADER))
        statuses = [value[3:] for value in values[values.index("DV_OK"):]]
        self.assertEqual([kind.status for kind in _errors.ERRORS[1:]], statuses[1:])
        self.assertEqual(values[:6], ["DV_LOG_DEBUG", "DV_LOG_INFO", "DV_LOG_WARNING",
                                      "DV_TRAIN_CONTINUE", "DV_TRAIN_PAUSE", "DV_TRAIN_FINISH"])
        self.assertEqual((_c.TRAIN_CONTINUE, _c.TRAIN_PAUSE, _c.TRAIN_FINISH), (0, 1, 2))

    def test_series(self):
        self.assertTrue(package.decavox.__version__.startswith(_c.SERIES + "."))
        self.assertEqual(package.decavox.version(), package.decavox.__version__)
        cmake = (check_abi.ROOT / "CMakeLists.txt").read_text()
        self.assertIn(f"VERSION {package.decavox.__version__}", cmake)


if __name__ == "__main__":
    package.main()
