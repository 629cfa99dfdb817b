/* Writes programs as TorchScript, and reads them again. */
#include "runner/export/torchscript.h"
#include "engine/base/locale.h"
#include "runner/export/archive.h"
#include "runner/export/aten.h"
#include "runner/export/pickle.h"
#include "runner/export/zip.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char module_name[] = "__torch__", class_name[] = "Decavox";
static const char code_entry[] = "code/__torch__.py";
static const char data_prefix[] = "data/";

/* A pickled empty tuple, because the code has no constants of its own. */
static const char no_constants[] = "\x80\x02).";

enum { LINE = 512 };

static void print(dv_protobuf *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void print(dv_protobuf *out, const char *format, ...)
{
    char text[LINE];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    DV_ASSERT(length >= 0 && length < LINE);
    dv_protobuf_append(out, text, (size_t)length);
}

/* ---- The code ---- */

typedef struct writer {
    const dv_program *program;
    const dv_aten_name *names;
    dv_protobuf code;
} writer;

/* Prints a tensor. Constants are attributes of the module. */
static void print_tensor(writer *w, dv_value value)
{
    const char *self = w->program->tensors[value].data != NULL ? "self." : "";
    print(&w->code, "%s%s", self, w->names[value].text);
}

static void print_list(writer *w, const dv_aten_argument *argument)
{
    print(&w->code, "[");
    for (int i = 0; i < argument->count; i++) {
        print(&w->code, "%s", i > 0 ? ", " : "");
        if (argument->kind == DV_ATEN_TENSORS)
            print_tensor(w, argument->tensors[i]);
        else
            print(&w->code, "%" PRId64, argument->integers[i]);
    }
    print(&w->code, "]");
}

/* Prints an argument as Python source. */
static void print_value(writer *w, const dv_aten_argument *argument)
{
    switch (argument->kind) {
    case DV_ATEN_NONE:
        print(&w->code, "None");
        break;
    case DV_ATEN_TENSOR:
        print_tensor(w, argument->tensors[0]);
        break;
    case DV_ATEN_TENSORS:
    case DV_ATEN_INTEGERS:
        print_list(w, argument);
        break;
    case DV_ATEN_INTEGER:
        print(&w->code, "%" PRId64, argument->integers[0]);
        break;
    case DV_ATEN_NUMBER:
        print(&w->code, "%.17e", argument->number);
        break;
    case DV_ATEN_BOOL:
        print(&w->code, "%s", argument->integers[0] != 0 ? "True" : "False");
        break;
    case DV_ATEN_ELEMENT:
        print(&w->code, "%d", dv_aten_scalar_type(argument->element));
        break;
    case DV_ATEN_DEVICE:
        print(&w->code, "ops.prim.device(%s)", w->names[w->program->inputs[0]].text);
        break;
    case DV_ATEN_SIZE:
        print(&w->code, "torch.size(");
        print_tensor(w, argument->tensors[0]);
        print(&w->code, ", %" PRId64 ")", argument->integers[0]);
        break;
    }
}

static bool is_tensors(const dv_aten_argument *argument)
{
    return argument->kind == DV_ATEN_TENSOR || argument->kind == DV_ATEN_TENSORS ||
           argument->kind == DV_ATEN_NONE;
}

/* Prints a call. Leading tensors are positional arguments, all others are keywords. */
static void print_call(writer *w, const dv_aten_call *call)
{
    bool by_name = false;
    print(&w->code, "    %s%s = torch.%s(", w->names[call->output].text,
          call->second_output ? ", _" : "", call->function);
    for (int i = 0; i < call->argument_count; i++) {
        const dv_aten_argument *argument = &call->arguments[i];
        by_name = by_name || !is_tensors(argument);
        print(&w->code, "%s", i > 0 ? ", " : "");
        if (by_name)
            print(&w->code, "%s=", argument->name);
        print_value(w, argument);
    }
    print(&w->code, ")\n");
}

static void print_names(writer *w, const char *list, bool parameters)
{
    print(&w->code, "  %s = [", list);
    for (size_t i = 0; i < w->program->tensor_count; i++) {
        const dv_tensor *tensor = &w->program->tensors[i];
        if (dv_aten_is_stored(tensor) && dv_aten_is_parameter(tensor) == parameters)
            print(&w->code, "\"%s\", ", w->names[i].text);
    }
    print(&w->code, "]\n");
}

/* Prints the class: its attributes, and its method with a line for each call. */
static void print_class(writer *w)
{
    const dv_program *program = w->program;
    print(&w->code, "class %s(Module):\n", class_name);
    print_names(w, "__parameters__", true);
    print_names(w, "__buffers__", false);
    print(&w->code, "  training : bool\n");
    for (size_t i = 0; i < program->tensor_count; i++) {
        if (dv_aten_is_stored(&program->tensors[i]))
            print(&w->code, "  %s : Tensor\n", w->names[i].text);
    }
    print(&w->code, "  def forward(self: %s.%s", module_name, class_name);
    for (int i = 0; i < program->input_count; i++)
        print(&w->code, ", %s: Tensor", w->names[program->inputs[i]].text);
    print(&w->code, ") -> Tuple[");
    for (int i = 0; i < program->output_count; i++)
        print(&w->code, "%sTensor", i > 0 ? ", " : "");
    print(&w->code, "]:\n");
    for (size_t i = 0; i < program->statement_count; i++) {
        dv_aten_call calls[DV_ATEN_CALLS];
        int count = dv_aten_lower(program, &program->statements[i], calls);
        for (int k = 0; k < count; k++)
            print_call(w, &calls[k]);
    }
    print(&w->code, "    return (");
    for (int i = 0; i < program->output_count; i++)
        print(&w->code, "%s%s", i > 0 ? ", " : "", w->names[program->outputs[i]].text);
    print(&w->code, ")\n");
}

/* ---- The module's values ---- */

static void pickle_constant(dv_protobuf *out, const dv_tensor *tensor, const char *storage)
{
    dv_archive_tensor facts = {.element = tensor->element,
                               .rank = tensor->rank,
                               .count = dv_tensor_count(tensor),
                               .storage = storage};
    dv_aten_layout(tensor, facts.sizes, facts.strides);
    dv_archive_pickle_tensor(out, &facts);
}

/* Pickles an object of the class, with its attributes. */
static void pickle_module(const writer *w, dv_protobuf *out)
{
    int count = 0;
    dv_pickle_begin(out);
    dv_pickle_global(out, module_name, class_name);
    dv_pickle_step_add(out, DV_PICKLE_EMPTY_TUPLE);
    dv_pickle_step_add(out, DV_PICKLE_NEW_OBJECT);
    dv_pickle_step_add(out, DV_PICKLE_EMPTY_DICT);
    dv_pickle_step_add(out, DV_PICKLE_MARK);
    dv_pickle_text(out, "training");
    dv_pickle_bool(out, false);
    for (size_t i = 0; i < w->program->tensor_count; i++) {
        char number[16];
        if (!dv_aten_is_stored(&w->program->tensors[i]))
            continue;
        snprintf(number, sizeof number, "%d", count++);
        dv_pickle_text(out, w->names[i].text);
        pickle_constant(out, &w->program->tensors[i], number);
    }
    dv_pickle_step_add(out, DV_PICKLE_SET_ITEMS);
    dv_pickle_step_add(out, DV_PICKLE_SET_STATE);
    dv_pickle_step_add(out, DV_PICKLE_STOP);
}

/* ---- The file ---- */

/* Writes all entries in a fixed order. */
dv_status dv_torchscript_write(const dv_exported *exported, dv_protobuf *out)
{
    writer w = {.program = exported->program};
    dv_aten_name *names;
    dv_zip zip = {0};
    dv_protobuf values = {0};
    *out = (dv_protobuf){0};
    DV_TRY(dv_aten_names(w.program, &names));
    w.names = names;
    locale_t before = dv_locale_enter();
    print_class(&w);
    dv_locale_leave(before);
    pickle_module(&w, &values);
    free(names);
    dv_zip_add(&zip, "version", DV_ARCHIVE_VERSION, strlen(DV_ARCHIVE_VERSION));
    dv_zip_add_part(&zip, code_entry, &w.code);
    dv_zip_add_part(&zip, "data.pkl", &values);
    dv_zip_add(&zip, "constants.pkl", no_constants, strlen(no_constants));
    dv_archive_add_constants(&zip, w.program, data_prefix);
    dv_archive_add_notes(&zip, exported);
    return dv_zip_end(&zip, out);
}

/* ---- Reading again ---- */

/* Checks that each call has its line, in the order of the program. */
static dv_status check_code(const writer *w, const dv_zip_entry *code)
{
    char *text, line[LINE];
    dv_status status = DV_OK;
    DV_TRY(dv_calloc(code->size + 1, 1, &text));
    memcpy(text, code->bytes, code->size);
    const char *from = text;
    for (size_t i = 0; status == DV_OK && i < w->program->statement_count; i++) {
        dv_aten_call calls[DV_ATEN_CALLS];
        int count = dv_aten_lower(w->program, &w->program->statements[i], calls);
        for (int k = 0; from != NULL && k < count; k++) {
            snprintf(line, sizeof line, "\n    %s%s = torch.%s(", w->names[calls[k].output].text,
                     calls[k].second_output ? ", _" : "", calls[k].function);
            from = strstr(from, line);
        }
        if (from == NULL)
            status = DV_FAIL(DV_EFORMAT, "the code lacks '%s'", w->program->statements[i].name);
    }
    free(text);
    return status;
}

dv_status dv_torchscript_check(const dv_exported *exported, const dv_protobuf *bytes)
{
    writer w = {.program = exported->program};
    dv_zip_reader zip;
    dv_zip_entry code, values;
    dv_aten_name *names;
    DV_TRY(dv_zip_open(bytes->bytes, bytes->size, &zip));
    DV_TRY(dv_zip_expect(&zip, "version", DV_ARCHIVE_VERSION, strlen(DV_ARCHIVE_VERSION)));
    DV_TRY(dv_zip_expect(&zip, "constants.pkl", no_constants, strlen(no_constants)));
    DV_TRY(dv_zip_find(&zip, "data.pkl", &values));
    DV_TRY(dv_archive_check_constants(&zip, w.program, data_prefix));
    DV_TRY(dv_archive_check_notes(&zip, exported));
    DV_TRY(dv_zip_find(&zip, code_entry, &code));
    DV_TRY(dv_aten_names(w.program, &names));
    w.names = names;
    dv_status status = check_code(&w, &code);
    free(names);
    return status;
}
