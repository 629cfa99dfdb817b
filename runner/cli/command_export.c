/* decavox export: writes a checkpoint's model for other runtimes, or its weights alone. */
#include "engine/base/text.h"
#include "runner/cli/command.h"
#include "runner/export/labels.h"
#include "runner/export/request.h"
#include "runner/export/verify.h"

#include <signal.h>
#include <string.h>

/* The forms of runner/export/forms.def follow these. */
enum { FORMAT_BY_ENDING };
static const char *const format_names[] = {
    "auto",
    DV_EXPORT_WEIGHTS,
#define DV_EXPORT_FORM(name, ending) #name,
#include "runner/export/forms.def"
#undef DV_EXPORT_FORM
    NULL,
};
static const char format_help[] = "format of the file; 'auto' follows the ending of --out: "
#define DV_EXPORT_FORM(name, ending) ending ", "
#include "runner/export/forms.def"
#undef DV_EXPORT_FORM
                                  "or " DV_EXPORT_WEIGHTS_ENDING " for the weights alone";

typedef struct export_options {
    char out[DV_STRING_SIZE], batch[DV_STRING_SIZE], license[DV_STRING_SIZE];
    char data[DV_STRING_SIZE], python[DV_STRING_SIZE];
    char labels[DV_STRING_SIZE];
    int format, precision, input;
    bool verify, force;
} export_options;

static const dv_field fields[] = {
    DV_PATH(export_options, out, NULL, "file to write"),
    DV_ENUM(export_options, format, "auto", format_names, format_help),
    DV_ENUM(
        export_options, input, "audio", dv_export_input_names,
        "input of the exported model: samples of any length, the features that decavox computes, "
        "or mel bands in decibels of any number of frames"),
    DV_STRING(export_options, batch, "dynamic", "number of clips at a time, or dynamic"),
    DV_ENUM(export_options, precision, "fp32", dv_checkpoint_precision_names,
            "precision of the network; the front-end stays fp32, and in safetensors so do biases, "
            "scales and running statistics"),
    DV_STRING(export_options, license, "", "licence of the model, which is noted in the file"),
    DV_BOOL(export_options, verify, "false",
            "run the file in ONNX Runtime or PyTorch and compare its answers with decavox's"),
    DV_PATH(export_options, data, "",
            "folder of sounds for --verify, of which 100 are taken; default: generated noise"),
    DV_STRING(export_options, python, "python3",
              "Python interpreter that has the runtime, for --verify"),
    DV_PATH(export_options, labels, "",
            "write the labels to this file too, as sherpa-onnx reads them (CSV)"),
    DV_OUTPUT_FORCE(export_options),
    DV_END,
};

static const char *const examples[] = {
    "decavox export lightweight --out words.onnx",
    "decavox export runs/words/model.safetensors --out words.pt2 --verify",
    "decavox export lightweight --out small.safetensors --precision fp16",
    NULL,
};

static const dv_options options = {
    .command = "export",
    .brief = "writes a model for other runtimes",
    .operands = "CHECKPOINT",
    .summary =
        "Writes a model for other runtimes, from samples to probabilities, with the front-end in "
        "the file: .onnx (ONNX Runtime, OpenVINO), .pt2 (torch.export) or .pt (TorchScript). As "
        ".safetensors it writes the weights alone.\n\n"
        "From last.safetensors of a training it takes the weights that the training would return "
        "now. The file keeps only the last names of the paths in the configuration.",
    .examples = examples,
    .least = 1,
    .most = 1,
    .fields = fields,
    .checkpoint = true,
};

/* ---- What the options say ---- */

static dv_status parse_batch(const char *text, int64_t *out)
{
    *out = 0;
    if (strcmp(text, "dynamic") == 0)
        return DV_OK;
    if (!dv_parse_int(text, out) || *out < 1)
        return DV_FAIL(DV_EARG, "--batch is '%s', must be a whole number from 1, or dynamic", text);
    return DV_OK;
}

static dv_status choose(const export_options *chosen, dv_export_wanted *wanted)
{
    dv_export_options asked = dv_export_options_default();
    asked.format = chosen->format == FORMAT_BY_ENDING ? NULL : format_names[chosen->format];
    asked.input = dv_export_input_names[chosen->input];
    asked.precision = dv_checkpoint_precision_names[chosen->precision];
    asked.license = chosen->license;
    DV_TRY(parse_batch(chosen->batch, &asked.batch));
    return dv_export_choose(chosen->out, &asked, wanted);
}

/* Options that would have no effect are refused. */
static dv_status check_verify(const export_options *chosen, const dv_export_wanted *wanted)
{
    if (chosen->verify && wanted->form == NULL)
        return DV_FAIL(DV_EARG, "--verify has no effect on weights alone; --format onnx or another "
                                "one writes a model");
    if (!chosen->verify && (chosen->data[0] != '\0' || strcmp(chosen->python, "python3") != 0))
        return DV_FAIL(DV_EARG, "%s has no effect without --verify",
                       chosen->data[0] != '\0' ? "--data" : "--python");
    return DV_OK;
}

static dv_status check_out(const char *checkpoint, const export_options *chosen,
                           const dv_export_wanted *wanted)
{
    dv_outputs outputs = {.list = {{"--out", chosen->out, dv_export_kind(wanted)},
                                   {"--labels", chosen->labels, DV_OUTPUT_LABELS}},
                          .count = 2,
                          .force = chosen->force};
    DV_TRY(dv_outputs_spare(&outputs, "the checkpoint", checkpoint));
    return dv_outputs_check(&outputs);
}

/* ---- What is done ---- */

static dv_status write_file(dv_model *model, const dv_export_wanted *wanted,
                            const export_options *chosen)
{
    dv_export_result result;
    DV_TRY(dv_export_write(model, wanted, chosen->out, &result));
    if (wanted->form != NULL)
        printf("%s: %s, %zu statements, %zu bytes, of which %zu of parameters and tables; "
               "checked after writing\n",
               dv_show(chosen->out).text, wanted->form->name, result.statements, result.file,
               result.constants);
    return DV_OK;
}

static dv_status verify(dv_model *model, const dv_export_wanted *wanted,
                        const dv_verify_sounds *sounds, const export_options *chosen)
{
    dv_verification found;
    char left_out[64] = "";
    fflush(stdout); /* shows the file before the slow verification */
    DV_TRY(dv_export_verify(model, wanted, chosen->out, chosen->python, sounds, &found));
    if (found.left_out > 0)
        snprintf(left_out, sizeof left_out, "; %zu file%s cannot be read", found.left_out,
                 dv_plural(found.left_out));
    printf("%s: the same word for %zu of %zu sound%s, probabilities within %.1e%s\n", found.runtime,
           found.same_word, found.sounds, dv_plural(found.sounds), found.difference, left_out);
    return DV_OK;
}

/* Writes the model and its labels, and verifies it in its runtime. */
static dv_status write_all(dv_model *model, const dv_export_wanted *wanted,
                           const dv_verify_sounds *sounds, const export_options *chosen)
{
    DV_TRY(write_file(model, wanted, chosen));
    if (chosen->labels[0] != '\0')
        DV_TRY(dv_export_labels(model, chosen->labels));
    return chosen->verify ? verify(model, wanted, sounds, chosen) : DV_OK;
}

/* Checks all options before anything is written. */
static dv_status export_checkpoint(const char *path, const export_options *chosen)
{
    dv_model *model;
    dv_verify_sounds sounds = {0};
    dv_export_wanted wanted;
    DV_TRY(choose(chosen, &wanted));
    DV_TRY(check_verify(chosen, &wanted));
    DV_TRY(check_out(path, chosen, &wanted));
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

static int run(int argc, char **argv)
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

const dv_command dv_command_export = {&options, run};
