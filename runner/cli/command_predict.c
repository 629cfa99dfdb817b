/* decavox predict: answers sound files, a few on the terminal or any number into a file of rows. */
#include "engine/base/json.h"
#include "engine/base/sha256.h"
#include "engine/base/text.h"
#include "engine/device/threads.h"
#include "frontends/audio/audio.h"
#include "runner/cli/command.h"
#include "runner/cli/predicting.h"
#include "runner/experiment/home.h"
#include "runner/experiment/output.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* The formats of runner/predict/rows.h follow it. */
static const char *const format_names[] = {"auto", DV_ROW_FORMATS, NULL};
enum { FORMAT_AUTO, FORMAT_FIRST };

typedef struct predict_options {
    char input[DV_STRING_SIZE], output[DV_STRING_SIZE], shard[DV_STRING_SIZE];
    char device[DV_STRING_SIZE];
    int format, precision, algorithms;
    int64_t workers, batch, top, allow_failed;
    double threshold;
    bool windows, resume, force;
} predict_options;

static const dv_field fields[] = {
    DV_PATH(predict_options, input, "",
            "answer the files of a folder, of a manifest (CSV or JSON lines with a column path) or "
            "of a list with one name per line; - reads such a list from standard input"),
    DV_PATH(predict_options, output, "",
            "write rows to this file and show the progress; while it grows it is called FILE.part"),
    DV_ENUM(predict_options, format, "auto", format_names,
            "form of the output; 'auto' follows the ending of --output, and is text without one; "
            "'jsonl' gives one object per line"),
    DV_BOOL(predict_options, resume, "false",
            "continue the FILE.part that an interrupted call with the same options has left"),
    DV_STRING(predict_options, shard, "1/1",
              "share i/n: answer every n-th file, beginning with the i-th, so that n calls or "
              "machines divide the work"),
    DV_FLOAT(predict_options, threshold, "0", 0, 1, "confidence below which no label is given"),
    DV_INT(predict_options, top, "1", 1, 1000, "number of labels, each with its confidence"),
    DV_INT(predict_options, allow_failed, "0", 0, 1000000000,
           "number of files without an answer above which the exit code is 1"),
    DV_INT(predict_options, workers, "0", 0, DV_PREDICT_WORKERS,
           "threads that read files and compute answers; 0 takes one per physical core"),
    DV_INT(predict_options, batch, "0", 0, 4096,
           "files that a thread computes at a time; 0 takes 16 on the CPU and 64 on a GPU"),
    DV_DEVICE_TO_ANSWER(predict_options),
    DV_PRECISION_TO_ANSWER(predict_options),
    DV_ALGORITHMS_TO_ANSWER(predict_options),
    DV_BOOL(predict_options, windows, "false",
            "answer each window of a file that is longer than one, with its start in seconds; the "
            "last window ends with the file"),
    DV_OUTPUT_FORCE(predict_options),
    DV_END,
};

static const char *const examples[] = {
    "decavox predict lightweight a.wav b.wav",
    "decavox predict runs/words/model.safetensors --top 3 a.wav",
    "decavox predict lightweight --input recordings --output answers.jsonl",
    NULL,
};

static const dv_options options = {
    .command = "predict",
    .brief = "says which word each sound file has",
    .operands = "CHECKPOINT [FILE...]",
    .summary =
        "Prints file, label and confidence of each sound file, in the order of the files.\n\n"
        "CHECKPOINT is a file, the folder of a run, or the name of a model that comes with "
        "decavox. FILE may be a pipe, and - is standard input. --input and --output answer "
        "any number of files.\n\n"
        "The model sees one window of a file. If the file is longer, a warning says which "
        "part was seen. A file that cannot be read gets a row that says why, and the exit "
        "code is 1. Control characters of a file's name, and bytes that are not UTF-8, are "
        "printed as \\xNN.",
    .examples = examples,
    .least = 1,
    .most = 1U << 20,
    .fields = fields,
    .checkpoint = true,
};

/* The parts of a call, from the options to the rows. */
typedef struct prediction {
    const dv_arguments *arguments;
    const predict_options *chosen;
    dv_names_request wanted;
    dv_names *names;
    dv_model *model;
    dv_row_style style;
    dv_rows_file *file; /* NULL: standard output */
    dv_predict_progress progress;
    bool was_complete; /* the rows were all there */
} prediction;

/* ---- What the options say ---- */

static dv_status check_standard_input(const dv_arguments *arguments)
{
    int times = 0;
    for (size_t i = 1; i < arguments->count; i++)
        times += strcmp(arguments->operands[i], "-") == 0;
    if (times > 1)
        return DV_FAIL(DV_EARG, "- is given %d times; standard input can be read only once", times);
    return DV_OK;
}

static dv_status parse_shard(const char *text, int64_t *shard, int64_t *shards)
{
    char first[DV_STRING_SIZE];
    const char *slash = strchr(text, '/');
    snprintf(first, sizeof first, "%.*s", slash != NULL ? (int)(slash - text) : 0, text);
    if (slash == NULL || !dv_parse_int(first, shard) || !dv_parse_int(slash + 1, shards) ||
        *shard < 1 || *shards < *shard)
        return DV_FAIL(DV_EARG, "--shard is '%s', must be i/n with i from 1 to n, for example 1/4",
                       text);
    return DV_OK;
}

/* Finds the format of the rows by --format or the ending of --output. */
static dv_status choose_format(const predict_options *chosen, int *format)
{
    const char *output = chosen->output;
    *format = chosen->format - FORMAT_FIRST;
    if (chosen->format == FORMAT_AUTO && output[0] == '\0')
        *format = DV_ROWS_TEXT;
    else if (chosen->format == FORMAT_AUTO && dv_ends_with(output, ".csv"))
        *format = DV_ROWS_CSV;
    else if (chosen->format == FORMAT_AUTO &&
             (dv_ends_with(output, ".jsonl") || dv_ends_with(output, ".ndjson")))
        *format = DV_ROWS_JSONL;
    else if (chosen->format == FORMAT_AUTO)
        return DV_FAIL(DV_EARG,
                       "--output: the ending of '%s' tells no format; the endings are .jsonl and "
                       ".csv, or --format says it",
                       output);
    if (output[0] != '\0' && *format < DV_ROWS_JSONL)
        return DV_FAIL(DV_EARG,
                       "--output takes the formats jsonl and csv; %s is for standard output",
                       dv_row_formats[*format]);
    if (*format == DV_ROWS_CSV && chosen->windows)
        return DV_FAIL(DV_EARG, "--windows gives several answers for a file, for which a row of "
                                "CSV has no place; take jsonl");
    return DV_OK;
}

/* Among several operands a folder gets a row, like any file that cannot be read. */
static dv_status check_folder(const dv_arguments *arguments)
{
    struct stat facts;
    bool is_folder = arguments->count == 2 && stat(arguments->operands[1], &facts) == 0 &&
                     S_ISDIR(facts.st_mode);
    if (is_folder)
        return DV_FAIL(DV_EARG,
                       "'%s' is a folder: --input PATH answers the sound files of a folder",
                       arguments->operands[1]);
    return DV_OK;
}

static dv_status check_use(const dv_arguments *arguments, const predict_options *chosen)
{
    if (arguments->count > 1 && chosen->input[0] != '\0')
        return DV_FAIL(
            DV_EARG, "files are named both by --input and as operands ('%s', ...): use one of them",
            arguments->operands[1]);
    if (arguments->count == 1 && chosen->input[0] == '\0')
        return DV_FAIL(DV_EARG, "no sound file is named: name files behind the checkpoint, or "
                                "a folder or a list of them with --input");
    if (chosen->output[0] == '\0' && (chosen->resume || chosen->force))
        return DV_FAIL(DV_EARG, "%s has no effect without --output",
                       chosen->resume ? "--resume" : "--force");
    DV_TRY(check_folder(arguments));
    return check_standard_input(arguments);
}

/* Checks that neither the file of rows nor the two files beside it replace an input. */
static dv_status check_output(const dv_arguments *arguments, const predict_options *chosen)
{
    char part[sizeof chosen->output + 8], job[sizeof chosen->output + 8];
    snprintf(part, sizeof part, "%.*s" DV_ROWS_PART, DV_STRING_SIZE - 1, chosen->output);
    snprintf(job, sizeof job, "%.*s" DV_ROWS_JOB, DV_STRING_SIZE - 1, chosen->output);
    const dv_outputs outputs = {
        .list = {{"--output", chosen->output, DV_OUTPUT_ROWS}}, .count = 1, .force = chosen->force};
    const dv_outputs beside = {
        .list = {{"--output", part, DV_OUTPUT_ROWS}, {"--output", job, DV_OUTPUT_JSON}},
        .count = 2};
    const dv_outputs *const both[] = {&outputs, &beside};
    for (int i = 0; i < 2; i++) {
        DV_TRY(dv_outputs_spare(both[i], "the checkpoint", arguments->operands[0]));
        DV_TRY(dv_outputs_spare(both[i], "the input", chosen->input));
        for (size_t k = 1; k < arguments->count; k++)
            DV_TRY(dv_outputs_spare(both[i], "a sound file", arguments->operands[k]));
    }
    return dv_outputs_check(&outputs);
}

/* ---- The rows ---- */

/* Describes everything that the rows depend on, except the names. --resume compares it. */
static json_t *made_with(const prediction *p)
{
    char digest[DV_SHA256_SIZE];
    dv_checkpoint_digest(dv_model_checkpoint(p->model), digest);
    return json_pack("{s:s, s:s, s:s, s:s, s:f, s:I, s:b, s:s}", DV_ROWS_WEIGHTS, digest, "device",
                     dv_model_device(p->model), "precision", dv_model_precision(p->model), "format",
                     dv_row_formats[p->style.format], "threshold", p->style.threshold, "top",
                     (json_int_t)p->style.top, "windows", p->style.windows, "shard",
                     p->chosen->shard);
}

static dv_status open_rows(prediction *p)
{
    dv_rows_file_state state;
    json_t *made = made_with(p);
    if (made == NULL)
        return DV_FAIL(DV_ENOMEM, "out of memory: the rows");
    const dv_rows_file_request request = {.path = p->chosen->output,
                                          .style = &p->style,
                                          .made_with = made,
                                          .resume = p->chosen->resume,
                                          .force = p->chosen->force};
    dv_status status = dv_rows_file_open(&request, p->names, &state, &p->file);
    json_decref(made);
    p->progress.done = p->progress.earlier = state.done;
    p->progress.failed = state.failed;
    p->was_complete = state.complete;
    return status;
}

static void tell_end(const prediction *p)
{
    const dv_predict_progress *progress = &p->progress;
    int64_t answered = progress->done - progress->earlier;
    char before[64] = "", rate[64] = "";
    if (progress->earlier > 0)
        snprintf(before, sizeof before, " (%" PRId64 " of them before)", progress->earlier);
    if (!p->was_complete && progress->seconds > 0)
        snprintf(rate, sizeof rate, " in %.1f s, %.0f/s", progress->seconds,
                 (double)answered / progress->seconds);
    printf("%s: %" PRId64 " file%s%s%s, %" PRId64 " failed\n", dv_show(p->chosen->output).text,
           progress->done, dv_plural((size_t)progress->done), before, rate, progress->failed);
}

/* ---- The work ---- */

/* Takes at most one thread per file; the number of names in a pipe is not known. */
static dv_status answer(prediction *p)
{
    dv_predicting predicting;
    int64_t files = dv_names_count(p->names);
    int64_t workers = p->chosen->workers > 0 ? p->chosen->workers : dv_physical_cores();
    if (files >= 0 && files < workers)
        workers = files > 0 ? files : 1;
    if (workers > DV_PREDICT_WORKERS)
        workers = DV_PREDICT_WORKERS;
    int batch = dv_predict_batch_for(p->model, p->style.windows ? -1 : files, (int)workers,
                                     (int)p->chosen->batch);
    dv_predict_request request = {.model = p->model,
                                  .names = p->names,
                                  .workers = (int)workers,
                                  .batch = batch,
                                  .streams = p->wanted.input == NULL,
                                  .style = p->style,
                                  .hint = "decavox predict --windows answers each window",
                                  .done = p->progress.done,
                                  .failed = p->progress.failed};
    dv_predicting_begin(&predicting, p->file, &request);
    dv_status status = dv_predict(&request, &p->progress);
    dv_predicting_end(&predicting);
    return status;
}

static dv_status answer_to_terminal(prediction *p)
{
    dv_rows_begin(&p->style, stdout);
    dv_status status = answer(p);
    dv_rows_end(&p->style, stdout);
    return status;
}

static dv_status answer_to_file(prediction *p)
{
    DV_TRY(open_rows(p));
    dv_status status = DV_OK;
    if (!p->was_complete) {
        status = answer(p);
        if (status == DV_OK)
            status = dv_rows_file_finish(p->file);
        else
            dv_rows_file_leave(p->file);
    }
    if (status != DV_OK)
        return dv_fail_within(status, "%s: --resume goes on from here", p->chosen->output);
    tell_end(p);
    return DV_OK;
}

/* Checks the options before the model is opened, and the names before a row is written. */
static dv_status predict(prediction *p)
{
    const predict_options *chosen = p->chosen;
    const char *checkpoint = p->arguments->operands[0];
    DV_TRY(check_use(p->arguments, chosen));
    DV_TRY(choose_format(chosen, &p->style.format));
    DV_TRY(parse_shard(chosen->shard, &p->wanted.shard, &p->wanted.shards));
    if (chosen->output[0] != '\0')
        DV_TRY(check_output(p->arguments, chosen));
    p->wanted.input = chosen->input[0] != '\0' ? chosen->input : NULL;
    p->wanted.operands = p->arguments->operands + 1;
    p->wanted.count = p->arguments->count - 1;
    p->wanted.log = dv_command_log();
    dv_status status = dv_command_open_model(checkpoint, chosen->device, chosen->precision,
                                             chosen->algorithms, &p->model);
    if (status == DV_EFORMAT && dv_audio_kind(checkpoint) != DV_NO_SOUND)
        return DV_FAIL(status, "%s; the checkpoint comes first: decavox predict CHECKPOINT FILE...",
                       dv_error_message());
    DV_TRY(status);
    DV_TRY(dv_names_open(&p->wanted, &p->names));
    p->style.model = p->model;
    p->style.windows = chosen->windows;
    p->style.threshold = chosen->threshold;
    p->style.top = chosen->top;
    p->style.ascii = chosen->output[0] == '\0' && (dv_json_flags(stdout) & JSON_ENSURE_ASCII) != 0;
    return chosen->output[0] != '\0' ? answer_to_file(p) : answer_to_terminal(p);
}

static int run(int argc, char **argv)
{
    predict_options chosen;
    dv_arguments arguments;
    int exit_code;
    if (!dv_command_begin(&options, argc, argv, &chosen, &arguments, &exit_code))
        return exit_code;
    prediction p = {.arguments = &arguments, .chosen = &chosen};
    dv_status status = predict(&p);
    dv_names_close(p.names);
    dv_model_close(p.model);
    dv_arguments_free(&arguments);
    if (status != DV_OK)
        return dv_command_fail("predict", status);
    return p.progress.failed > chosen.allow_failed ? DV_EXIT_FAILED : DV_EXIT_GOOD;
}

const dv_command dv_command_predict = {&options, run};
