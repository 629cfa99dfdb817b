/* Asks the system for the sizes of caches and of this process, and for the paths of programs. */
#include "benchmarks/bench.h"
#include "engine/base/proc.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

size_t bench_largest_cache(void)
{
    size_t largest = 0;
    for (int index = 0; index < 8; index++) {
        char path[96], text[32] = "";
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%d/size", index);
        FILE *file = fopen(path, "r");
        if (file == NULL)
            break;
        char *unit = text;
        unsigned long size = fgets(text, sizeof text, file) != NULL ? strtoul(text, &unit, 10) : 0;
        fclose(file);
        size_t bytes = size << (*unit == 'K' ? 10 : *unit == 'M' ? 20 : 0);
        largest = bytes > largest ? bytes : largest;
    }
    return largest > 0 ? largest : (size_t)32 << 20; /* a common size, if the system names none */
}

size_t bench_resident(void)
{
    char text[64];
    if (!dv_proc_value("/proc/self/status", "VmRSS", text, sizeof text))
        return 0;
    return (size_t)strtoul(text, NULL, 10) << 10;
}

const char *bench_build(void)
{
    return BENCH_BUILD;
}

dv_status bench_self(char *out, size_t size)
{
    ssize_t length = readlink("/proc/self/exe", out, size - 1);
    if (length < 0 || (size_t)length == size - 1)
        return DV_FAIL(DV_EIO, "/proc/self/exe does not say where this program is");
    out[length] = '\0';
    return DV_OK;
}

dv_status bench_decavox(const bench *b, char *out, size_t size)
{
    char self[BENCH_PATH_SIZE];
    if (b->chosen.decavox[0] != '\0')
        return bench_format(out, size, "%s", b->chosen.decavox);
    DV_TRY(bench_self(self, sizeof self));
    *strrchr(self, '/') = '\0';
    DV_TRY(bench_format(out, size, "%s/../runner/decavox", self));
    if (access(out, X_OK) != 0)
        return DV_FAIL(DV_EIO, "there is no program %s; --decavox says where it is", out);
    return DV_OK;
}
