/* decavox export: writes a checkpoint's model for other runtimes, or its weights alone. */
#include "engine/base/input_file.h"
#include "engine/base/text.h"
#include "frontends/model/session.h"
#include "runner/cli/command.h"
#include "runner/experiment/experiment.h"
#include "runner/experiment/output.h"
#include "runner/export/labels.h"
#include "runner/export/verify.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* Behind these come the forms of runner/export/forms.def. */
enum { FORMAT_BY_ENDING, FORMAT_SAFETENSORS };
static const char *const format_names[] = {
    "auto",
    "safetensors",
#define DV_EXPORT_FORM(name, ending) #name,
#include "runner/export/forms.def"
#undef DV_EXPORT_FORM
    NULL,
};
static const char format_help[] = "of the file; auto: by the ending of --out, which is "
#define DV_EXPORT_FORM(name, ending) ending ", "
#include "runner/export/forms.def"
#undef DV_EXPORT_FORM
                                  "or .safetensors for the weights alone";
static const char weights_ending[] = ".safetensors";

typedef struct export_options {
    char out[DV_STRING_SIZE], batch[DV_STRING_SIZE], license[DV_STRING_SIZE];
    char data[DV_STRING_SIZE], python[DV_STRING_SIZE];
    char labels[DV_STRING_SIZE];
    int format, precision, input;
    bool verify, force;
} export_options;

static const dv_field fields[] = {
    DV_STRING(export_options, out, NULL, "file to write"),
    DV_ENUM(export_options, format, "auto", format_names, format_help),
    DV_ENUM(export_options, input, "audio", dv_export_input_names,
            "what the model takes: samples of any length, the features that decavox makes of them, "
            "or the mel bands in decibels of any number of frames"),
    DV_STRING(export_options, batch, "dynamic", "clips at a time, a number or dynamic"),
    DV_ENUM(export_options, precision, "fp32", dv_file_precision_names,
            "of the network; the front-end stays fp32, and in safetensors so do biases, scales and "
            "running statistics"),
    DV_STRING(export_options, license, "", "licence of the model, for the file's notes"),
    DV_BOOL(export_options, verify, "false",
            "compute the file in ONNX Runtime or PyTorch and compare its answers with decavox's"),
    DV_PATH(export_options, data, "",
            "folder with sounds for --verify, of which 100 are taken; without it, noises"),
    DV_STRING(export_options, python, "python3", "Python that has the runtime, for --verify"),
    DV_STRING(export_options, labels, "",
              "write the words to this file too, as sherpa-onnx reads them (CSV)"),
    DV_OUTPUT_FORCE(export_options),
    DV_END,
};

static const dv_options options = {
    .command = "export",
    .operands = "CHECKPOINT",
    .summary =
        "Writes the model of a checkpoint for other runtimes, from samples to probabilities, "
        "or its weights alone. Of a training's last.safetensors it takes what the training "
        "has to keep. Of the paths in the configuration the file has the last names alone.",
    .least = 1,
    .most = 1,
    .fields = fields,
    .checkpoint = true,
};

/* ---- The form ---- */

/* *form NULL: the weights alone. */
static dv_status choose_form(const export_options *chosen, const dv_export_form **form)
{
    *form = NULL;
    if (chosen->format == FORMAT_SAFETENSORS ||
        (chosen->format == FORMAT_BY_ENDING && dv_ends_with(chosen->out, weights_ending)))
        return DV_OK;
    *form = chosen->format == FORMAT_BY_ENDING ? dv_export_form_of_path(chosen->out)
                                               : dv_export_form_named(format_names[chosen->format]);
    if (*form != NULL)
        return DV_OK;
    char known[256] = "";
    for (const dv_export_form *one = dv_export_forms; one->name != NULL; one++) {
        size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, "%s (%s), ", one->ending, one->name);
    }
    return DV_FAIL(DV_EARG,
                   "--out: the ending of '%s' tells no format; the endings are %s%s (weights "
                   "alone), or --format says it",
                   chosen->out, known, weights_ending);
}

static dv_status parse_batch(const char *text, int64_t *out)
{
    *out = 0;
    if (strcmp(text, "dynamic") == 0)
        return DV_OK;
    if (!dv_parse_int(text, out) || *out < 1 || *out > INT32_MAX)
        return DV_FAIL(DV_EARG, "--batch is '%s', must be a number from 1 or dynamic", text);
    return DV_OK;
}

/* ---- The weights alone ---- */

/* And of the configuration all but where things lie on this machine. */
static dv_status write_weights(dv_model *model, const export_options *chosen)
{
    const dv_checkpoint *checkpoint = dv_model_checkpoint(model);
    dv_tree *config;
    DV_TRY(dv_experiment_copy_to_leave(checkpoint->config, &config));
    dv_status status = dv_checkpoint_write_weights(chosen->out, dv_model_params(model),
                                                   (dv_checkpoint_precision)chosen->precision,
                                                   config, checkpoint->labels);
    dv_tree_free(config);
    return status;
}

/* ---- A model for other runtimes ---- */

/* The text beside a checkpoint that tells of it, NAME.md beside NAME.safetensors; NULL: there is
   none that fits. */
static char *read_card(const char *checkpoint)
{
    enum { MOST = 1 << 18 };
    char path[4096], *text = NULL;
    FILE *file;
    size_t length = strlen(checkpoint);
    if (!dv_ends_with(checkpoint, weights_ending) || length >= sizeof path)
        return NULL;
    snprintf(path, sizeof path, "%.*s.md", (int)(length - strlen(weights_ending)), checkpoint);
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

static dv_status verify(dv_model *model, const dv_export_options *wanted,
                        const dv_verify_sounds *sounds, const export_options *chosen)
{
    dv_verification found;
    char left_out[64] = "";
    fflush(stdout); /* what is written is told even if this takes long */
    DV_TRY(dv_export_verify(model, wanted, chosen->out, chosen->python, sounds, &found));
    if (found.left_out > 0)
        snprintf(left_out, sizeof left_out, "; %zu files cannot be read", found.left_out);
    printf("%s: the same word for %zu of %zu sounds, probabilities within %.1e%s\n", found.runtime,
           found.same_word, found.sounds, found.difference, left_out);
    return DV_OK;
}

static dv_status write_program(dv_model *model, const dv_export_options *wanted,
                               const export_options *chosen)
{
    dv_export_result result;
    DV_TRY(dv_export_file(model, wanted, chosen->out, &result));
    printf("%s: %s, %zu statements, %zu bytes, of which %zu of parameters and tables; read again\n",
           dv_show(chosen->out).text, wanted->form->name, result.statements, result.file,
           result.constants);
    return DV_OK;
}

/* The model, its words, and what it answers in its runtime. */
static dv_status write_all(dv_model *model, dv_export_options *wanted,
                           const dv_verify_sounds *sounds, const export_options *chosen)
{
    dv_status status;
    if (wanted->form == NULL) {
        status = write_weights(model, chosen);
    } else {
        char *card = read_card(dv_model_checkpoint(model)->path);
        wanted->card = card;
        status = write_program(model, wanted, chosen);
        wanted->card = NULL;
        free(card);
    }
    if (status == DV_OK && chosen->labels[0] != '\0')
        status = dv_export_labels(model, chosen->labels);
    if (status == DV_OK && chosen->verify)
        status = verify(model, wanted, sounds, chosen);
    return status;
}

/* ---- What the options say ---- */

/* Options that would have no effect are refused. */
static dv_status check_use(const export_options *chosen, bool program)
{
    const struct {
        const char *name;
        bool given;
    } of_programs[] = {
        {"--verify", chosen->verify},
        {"--batch", strcmp(chosen->batch, "dynamic") != 0},
        {"--input", chosen->input != DV_EXPORT_AUDIO},
        {"--license", chosen->license[0] != '\0'},
    };
    for (size_t i = 0; !program && i < sizeof of_programs / sizeof *of_programs; i++) {
        if (of_programs[i].given)
            return DV_FAIL(DV_EARG,
                           "%s has no effect on weights alone; --format onnx or another "
                           "one writes a model",
                           of_programs[i].name);
    }
    if (!chosen->verify && (chosen->data[0] != '\0' || strcmp(chosen->python, "python3") != 0))
        return DV_FAIL(DV_EARG, "%s is for --verify, which is not given",
                       chosen->data[0] != '\0' ? "--data" : "--python");
    if (!dv_is_utf8(chosen->license))
        return DV_FAIL(DV_EARG, "--license is not UTF-8, which the notes of a file have to be");
    return DV_OK;
}

static dv_status check_out(const char *checkpoint, const export_options *chosen, bool program)
{
    dv_outputs outputs = {
        .list = {{"--out", chosen->out, program ? DV_OUTPUT_PROGRAM : DV_OUTPUT_WEIGHTS},
                 {"--labels", chosen->labels, DV_OUTPUT_LABELS}},
        .count = 2,
        .force = chosen->force};
    DV_TRY(dv_outputs_spare(&outputs, "the checkpoint", checkpoint));
    return dv_outputs_check(&outputs);
}

/* All that can be wrong with the options is told before anything is written. */
static dv_status export_checkpoint(const char *path, const export_options *chosen)
{
    dv_model *model;
    dv_verify_sounds sounds = {0};
    dv_export_options wanted = {.input = chosen->input,
                                .half = chosen->precision == DV_CHECKPOINT_FP16,
                                .license = chosen->license};
    DV_TRY(choose_form(chosen, &wanted.form));
    DV_TRY(check_use(chosen, wanted.form != NULL));
    DV_TRY(parse_batch(chosen->batch, &wanted.batch));
    DV_TRY(check_out(path, chosen, wanted.form != NULL));
    DV_TRY(dv_command_open_model(path, "cpu", 0, DV_ALGORITHMS_FIXED, &model));
    dv_status status = DV_OK;
    if (chosen->verify && chosen->data[0] != '\0')
        status = dv_verify_sounds_find(chosen->data, &sounds);
    if (status == DV_OK)
        status = write_all(model, &wanted, &sounds, chosen);
    dv_verify_sounds_free(&sounds);
    dv_model_close(model);
    return status;
}

int dv_command_export(int argc, char **argv)
{
    export_options chosen;
    dv_arguments arguments;
    int exit_code;
    if (!dv_command_begin(&options, argc, argv, &chosen, &arguments, &exit_code))
        return exit_code;
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error of writing it */
    dv_status status = export_checkpoint(arguments.operands[0], &chosen);
    dv_arguments_free(&arguments);
    return status == DV_OK ? DV_EXIT_GOOD : dv_command_fail("export", status);
}
