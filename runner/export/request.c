/* Chooses the requested format, and writes the model or its weights. */
#include "runner/export/request.h"
#include "engine/base/input_file.h"
#include "engine/base/locale.h"
#include "engine/base/text.h"
#include "runner/experiment/experiment.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- Options ---- */

/* Lists the formats: ".onnx (onnx), .pt (torchscript), ...". */
static void list_forms(char *text, size_t size)
{
    size_t used = 0;
    for (const dv_export_form *one = dv_export_forms; one->name != NULL && used < size; one++)
        used += (size_t)snprintf(text + used, size - used, "%s (%s), ", one->ending, one->name);
}

/* Chooses the format. *form is NULL for an export of weights. */
static dv_status choose_form(const char *path, const char *format, const dv_export_form **form)
{
    char known[256] = "";
    bool weights = format != NULL ? strcmp(format, DV_EXPORT_WEIGHTS) == 0
                                  : dv_ends_with(path, DV_EXPORT_WEIGHTS_ENDING);
    *form = NULL;
    if (weights)
        return DV_OK;
    *form = format != NULL ? dv_export_form_named(format) : dv_export_form_of_path(path);
    if (*form != NULL)
        return DV_OK;
    list_forms(known, sizeof known);
    if (format != NULL)
        return DV_FAIL(DV_EARG,
                       "there is no format '%.40s'; the formats are, with the endings of their "
                       "files, %s" DV_EXPORT_WEIGHTS_ENDING " (" DV_EXPORT_WEIGHTS ")",
                       format, known);
    return DV_FAIL(DV_EARG,
                   "the ending of '%s' tells no format; the endings are %s" DV_EXPORT_WEIGHTS_ENDING
                   " (" DV_EXPORT_WEIGHTS ", the weights alone); or name the format",
                   path, known);
}

/* Refuses options that have no effect on an export of weights. */
static dv_status check_use(const dv_export_wanted *wanted)
{
    const struct {
        const char *name;
        bool given;
    } of_programs[] = {
        {"batch", wanted->batch != 0},
        {"input", wanted->input != DV_EXPORT_AUDIO},
        {"license", wanted->license[0] != '\0'},
    };
    for (size_t i = 0; wanted->form == NULL && i < sizeof of_programs / sizeof *of_programs; i++) {
        if (of_programs[i].given)
            return DV_FAIL(DV_EARG,
                           "%s has no effect on weights alone; the format onnx or another one "
                           "writes a model",
                           of_programs[i].name);
    }
    return DV_OK;
}

dv_status dv_export_choose(const char *path, const dv_export_options *options,
                           dv_export_wanted *out)
{
    int precision;
    *out = (dv_export_wanted){.batch = options->batch,
                              .license = options->license != NULL ? options->license : ""};
    if (path[0] == '\0')
        return DV_FAIL(DV_EARG, "an export needs the path of a file to write");
    DV_TRY(choose_form(path, options->format, &out->form));
    DV_TRY(dv__option_find("input", options->input != NULL ? options->input : "audio",
                           dv_export_input_names, &out->input));
    DV_TRY(dv__option_find("precision", options->precision != NULL ? options->precision : "fp32",
                           dv_checkpoint_precision_names, &precision));
    out->half = precision == DV_CHECKPOINT_FP16;
    if (out->batch < 0 || out->batch > INT32_MAX)
        return DV_FAIL(DV_EARG, "batch is %" PRId64 ", must be 0 to %d", out->batch, INT32_MAX);
    if (!dv_is_utf8(out->license))
        return DV_FAIL(DV_EARG, "the license is not UTF-8, which the notes of a file have to be");
    return check_use(out);
}

dv_output_kind dv_export_kind(const dv_export_wanted *wanted)
{
    return wanted->form != NULL ? DV_OUTPUT_PROGRAM : DV_OUTPUT_WEIGHTS;
}

/* ---- The file ---- */

/* Writes the weights, and the configuration with shortened paths. */
static dv_status write_weights(dv_model *model, const dv_export_wanted *wanted, const char *path)
{
    const dv_checkpoint *checkpoint = dv_model_checkpoint(model);
    dv_tree *config;
    DV_TRY(dv_experiment_copy_to_leave(checkpoint->config, &config));
    dv_status status = dv_checkpoint_write_weights(
        path, dv_model_params(model), wanted->half ? DV_CHECKPOINT_FP16 : DV_CHECKPOINT_FP32,
        config, checkpoint->labels);
    dv_tree_free(config);
    return status;
}

/* Reads the model card, NAME.md beside NAME.safetensors. NULL if there is none that can be used. */
static char *read_card(const char *checkpoint)
{
    enum { MOST = 1 << 18 };
    char path[4096], *text = NULL;
    FILE *file;
    size_t length = strlen(checkpoint);
    if (!dv_ends_with(checkpoint, DV_EXPORT_WEIGHTS_ENDING) || length >= sizeof path)
        return NULL;
    snprintf(path, sizeof path, "%.*s.md", (int)(length - strlen(DV_EXPORT_WEIGHTS_ENDING)),
             checkpoint);
    if (dv_input_open(path, &file) != DV_OK)
        return NULL;
    if (dv_calloc(MOST, 1, &text) == DV_OK) {
        size_t size = fread(text, 1, MOST, file);
        if (size == MOST || strlen(text) != size || !dv_is_utf8(text)) {
            free(text);
            text = NULL;
        }
    }
    fclose(file);
    return text;
}

static dv_status write_model(dv_model *model, const dv_export_wanted *wanted, const char *path,
                             dv_export_result *out)
{
    dv_export_wanted with_card = *wanted;
    char *card = read_card(dv_model_checkpoint(model)->path);
    with_card.card = card;
    dv_status status = dv_export_file(model, &with_card, path, out);
    free(card);
    return status;
}

dv_status dv_export_write(dv_model *model, const dv_export_wanted *wanted, const char *path,
                          dv_export_result *out)
{
    *out = (dv_export_result){0};
    locale_t before = dv_locale_enter(); /* notes and configurations contain numbers */
    dv_status status = wanted->form != NULL ? write_model(model, wanted, path, out)
                                            : write_weights(model, wanted, path);
    dv_locale_leave(before);
    return status;
}

/* ---- The public API ---- */

dv_status dv_export(dv_model *model, const char *path, const dv_export_options *options)
{
    dv_export_options given;
    dv_export_wanted wanted;
    dv_export_result result;
    DV_TRY(dv__options_take(options, sizeof given, "dv_export_options", &given));
    DV_TRY(dv_export_choose(path, &given, &wanted));
    const dv_outputs outputs = {.list = {{"path", path, dv_export_kind(&wanted)}},
                                .count = 1,
                                .force = given.force != 0,
                                .force_option = "the option force"};
    DV_TRY(dv_outputs_spare(&outputs, "the checkpoint", dv_model_checkpoint(model)->path));
    DV_TRY(dv_outputs_check(&outputs));
    return dv_export_write(model, &wanted, path, &result);
}
