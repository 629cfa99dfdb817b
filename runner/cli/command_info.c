/* decavox info: describes this build, a checkpoint, the keys of the configuration, the layers. */
#include "engine/backends/module.h"
#include "engine/backends/open.h"
#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/base/yaml.h"
#include "engine/device/threads.h"
#include "engine/layers/model.h"
#include "frontends/model/checkpoint.h"
#include "frontends/model/choices.h"
#include "frontends/model/session.h"
#include "runner/cli/command.h"
#include "runner/cli/commit.h"
#include "runner/cli/help.h"
#include "runner/cli/info_json.h"
#include "runner/evaluate/report.h"
#include "runner/experiment/experiment.h"

#include <stdlib.h>

typedef struct info_options {
    bool config, layers;
    int format;
} info_options;

static const dv_field fields[] = {
    DV_BOOL(info_options, config, "false", "print every key of the configuration"),
    DV_BOOL(info_options, layers, "false", "print every layer and its attributes"),
    DV_ENUM(info_options, format, "text", dv_format_names,
            "form of the facts about the build or a checkpoint"),
    DV_END,
};

static const char *const examples[] = {
    "decavox info",
    "decavox info lightweight",
    "decavox info --config --layers",
    NULL,
};

static const dv_options options = {
    .command = "info",
    .brief = "describes this build, a model, or the configuration",
    .operands = "[CHECKPOINT]",
    .summary = "Describes this build and its devices; or a checkpoint with its layers, labels and "
               "configuration; or every key of the configuration.",
    .examples = examples,
    .least = 0,
    .most = 1,
    .fields = fields,
    .checkpoint = true,
};

static void print_line(void *user, const char *line)
{
    fprintf(user, "%s\n", line);
}

static void print_devices(const dv_backend *backend)
{
    char text[256];
    int count = 1;
    for (int i = 0; backend->describe != NULL && i < count; i++) {
        if (backend->describe(i, text, sizeof text, &count) != DV_OK) {
            printf("  no device: %s\n", dv_error_message());
            return;
        }
        printf("  %s:%d  %s\n", backend->name, i, text);
    }
}

static void print_module(const char *name)
{
    char path[4096];
    const dv_backend *backend;
    if (!dv_module_find(name, path, sizeof path))
        printf("backend %-7s no module\n", name);
    else if (dv_module_load(name, &backend) != DV_OK)
        printf("backend %-7s %s\n", name, dv_error_message());
    else {
        printf("backend %-7s %s (%s)\n", name, backend->version(), dv_show(path).text);
        print_devices(backend);
    }
}

static void print_build(void)
{
    static const dv_backend *const backends[] = {&dv_backend_cpu, &dv_backend_ref};
    printf("decavox %s, commit %s\n", DV_VERSION, dv_commit());
    for (size_t i = 0; i < sizeof backends / sizeof backends[0]; i++)
        printf("backend %-7s %s\n", backends[i]->name, backends[i]->version());
    print_module("cuda");
    print_module("cudasim");
    printf("physical cores %d\n", dv_physical_cores());
}

static void print_keys(void)
{
    dv_fields_help(stdout, NULL, dv_experiment_keys);
    for (const dv_section *section = dv_sections; section->name != NULL; section++)
        dv_fields_help(stdout, section->name, section->fields);
}

static void print_layers(void)
{
    dv_layer_info info;
    for (int i = 0; dv_layer_at(i, &info); i++) {
        printf("# %s\n", info.help);
        if (info.fields != NULL)
            dv_fields_help(stdout, info.name, info.fields);
        else
            printf("%s:\n", info.name);
    }
}

static void print_precision(const dv_checkpoint *checkpoint)
{
    size_t count, rounded;
    dv_checkpoint_tensors(checkpoint, &count, &rounded);
    if (rounded > 0)
        printf("precision: fp16 (%zu of %zu tensors, the others fp32)\n", rounded, count);
    else
        printf("precision: fp32%s\n", checkpoint->state != NULL ? ", with a training's state" : "");
}

/* Prints and releases `json`. */
static dv_status print_json(json_t *json)
{
    dv_status status = dv_json_print(json, stdout);
    json_decref(json);
    return status;
}

/* Prints a list of algorithms that were measured for the checkpoint. */
static void print_choices(void *user, const char *path, const char *text)
{
    (void)user;
    printf("\nalgorithms that were measured, in %s; a line is %s\n%s", dv_show(path).text,
           dv_choices_columns, text);
}

/* Prints layers, precision, labels and configuration. Loading it as a model shows that it can
   be used. */
static dv_status print_checkpoint(const char *path, int format)
{
    dv_model *model;
    DV_TRY(dv_command_open_model(path, "cpu", 0, DV_ALGORITHMS_FIXED, &model));
    if (format == DV_FORMAT_JSON) {
        dv_status printed = print_json(dv_info_checkpoint_json(model, path));
        dv_model_close(model);
        return printed;
    }
    char *config;
    dv_status status = dv_yaml_write(dv_model_checkpoint(model)->config, &config);
    if (status == DV_OK) {
        dv_graph_table(dv_model_graph(model), print_line, stdout);
        print_precision(dv_model_checkpoint(model));
        printf("labels:");
        for (int64_t k = 0; k < dv_model_classes(model); k++)
            printf(" %s", dv_model_label(model, (size_t)k));
        printf("\n\n%s", config);
        free(config);
        status = dv_choices_list(dv_model_checkpoint(model), print_choices, NULL);
    }
    dv_model_close(model);
    return status;
}

/* Prints the checkpoint, the keys or the layers, or without any of them facts of the build. */
static int run(int argc, char **argv)
{
    info_options chosen;
    dv_arguments arguments;
    int exit_code;
    if (!dv_command_begin(&options, argc, argv, &chosen, &arguments, &exit_code))
        return exit_code;
    dv_status status = DV_OK;
    if (arguments.count == 1)
        status = print_checkpoint(arguments.operands[0], chosen.format);
    if (chosen.config)
        print_keys();
    if (chosen.layers)
        print_layers();
    bool build = arguments.count == 0 && !chosen.config && !chosen.layers;
    if (build && chosen.format == DV_FORMAT_JSON)
        status = print_json(dv_info_build_json());
    else if (build)
        print_build();
    dv_arguments_free(&arguments);
    return status == DV_OK ? DV_EXIT_GOOD : dv_command_fail("info", status);
}

const dv_command dv_command_info = {&options, run};
