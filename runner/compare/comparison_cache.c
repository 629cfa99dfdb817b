/*
 * Stores measurements: a file for each model, device and number of threads in
 * $XDG_CACHE_HOME/decavox or ~/.cache/decavox. A file names the program that measured; figures of
 * another build are ignored and replaced. The files may be deleted at any time.
 */
#include "engine/base/folder.h"
#include "engine/base/json.h"
#include "runner/compare/comparison.h"
#include "runner/evaluate/report.h"
#include "runner/experiment/run_folder.h"

#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

enum { PATH_SIZE = DV_RUN_PATH_SIZE, TEXT_SIZE = 2048 };

/* ---- Figures ---- */

json_t *dv__figures_json(const dv_model_figures *model)
{
    return json_pack(
        "{s:b, s:I, s:I, s:i, s:I, s:I, s:I, s:I, s:I, s:b, s:f, s:f, s:f, s:f, s:f, s:I}", "busy",
        model->busy, "bytes_fp32", (json_int_t)model->bytes[DV_CHECKPOINT_FP32], "bytes_fp16",
        (json_int_t)model->bytes[DV_CHECKPOINT_FP16], "file", model->file, "parameters",
        (json_int_t)model->parameters, "macs", (json_int_t)model->macs, "rows",
        (json_int_t)model->rows, "frames", (json_int_t)model->frames, "attention",
        (json_int_t)model->attention, "ensemble", model->ensemble, "answer_16_s", model->answer[0],
        "answer_48_s", model->answer[1], "latency_p50_s", model->p50, "latency_p99_s", model->p99,
        "throughput_per_s", model->throughput, "batch", (json_int_t)model->batch);
}

/* Reads into a copy, so that *model stays unchanged on failure. */
dv_status dv__figures_read(json_t *json, dv_model_figures *model)
{
    json_int_t bytes[2], parameters, macs, rows, frames, attention, batch, peak;
    int ensemble, file, busy, busy_start = 0;
    json_error_t error;
    dv_model_figures out = *model;
    if (json_unpack_ex(
            json, &error, 0,
            "{s:b, s?b, s:I, s:I, s:i, s:I, s:I, s:I, s:I, s:I, s:b, s:F, s:F, s:F, s:F, s:F, "
            "s:I, s:F, s:I}",
            "busy", &busy, "busy_start", &busy_start, "bytes_fp32", &bytes[DV_CHECKPOINT_FP32],
            "bytes_fp16", &bytes[DV_CHECKPOINT_FP16], "file", &file, "parameters", &parameters,
            "macs", &macs, "rows", &rows, "frames", &frames, "attention", &attention, "ensemble",
            &ensemble, "answer_16_s", &out.answer[0], "answer_48_s", &out.answer[1],
            "latency_p50_s", &out.p50, "latency_p99_s", &out.p99, "throughput_per_s",
            &out.throughput, "batch", &batch, "first_answer_s", &out.first_answer,
            "peak_memory_bytes", &peak) != 0)
        return DV_FAIL(DV_EFORMAT, "the file holds no measurements: %s", error.text);
    if (file < -1 || file > DV_CHECKPOINT_FP16 || !(out.p50 > 0) || !(out.throughput > 0) ||
        !(out.answer[0] > 0) || !(out.answer[1] > 0))
        return DV_FAIL(DV_EFORMAT, "the file holds no measurements");
    out.busy = busy || busy_start;
    out.bytes[0] = bytes[0];
    out.bytes[1] = bytes[1];
    out.file = file;
    out.parameters = parameters;
    out.macs = macs;
    out.rows = rows;
    out.frames = frames;
    out.attention = attention;
    out.ensemble = ensemble != 0;
    out.batch = batch;
    out.peak_memory = peak;
    *model = out;
    return DV_OK;
}

/* ---- Files ---- */

/* Describes the conditions that two measurements of one program must share. */
static void describe(const dv_comparison *comparison, const dv_model_figures *model,
                     char text[TEXT_SIZE])
{
    struct utsname host;
    bool named = uname(&host) == 0;
    snprintf(text, TEXT_SIZE, "%s\n%.400s\n%d threads\n%s\n%.200s\n%lld classes\n", model->content,
             comparison->options->device, comparison->threads, comparison->machine,
             named ? host.nodename : "", (long long)comparison->options->classes);
}

static bool find_file(const dv_comparison *comparison, const dv_model_figures *model,
                      char folder[PATH_SIZE], char path[2 * PATH_SIZE])
{
    char text[TEXT_SIZE], digest[DV_SHA256_SIZE];
    if (!dv_cache_folder(folder, PATH_SIZE))
        return false;
    describe(comparison, model, text);
    dv_sha256_bytes(text, strlen(text), digest);
    snprintf(path, 2 * PATH_SIZE, "%s/%.32s.json", folder, digest);
    return true;
}

/* Describes the program with the libraries that it calls. */
static void describe_program(const dv_comparison *comparison, char text[TEXT_SIZE])
{
    snprintf(text, TEXT_SIZE, "decavox " DV_VERSION " %s, %s", comparison->program,
             comparison->libraries);
}

/* A stored measurement is used only if it took at least as long as the present options ask for. */
bool dv__model_figures_recall(const dv_comparison *comparison, dv_model_figures *model)
{
    char folder[PATH_SIZE], path[2 * PATH_SIZE], program[TEXT_SIZE];
    if (!find_file(comparison, model, folder, path))
        return false;
    json_t *json;
    if (dv_json_read(path, &json) != DV_OK)
        return false;
    const char *by = json_string_value(json_object_get(json, "program"));
    const char *date = json_string_value(json_object_get(json, "date"));
    double seconds = json_number_value(json_object_get(json, "seconds"));
    describe_program(comparison, program);
    dv_model_figures found = *model;
    bool good = by != NULL && strcmp(by, program) == 0 && date != NULL &&
                seconds >= comparison->options->seconds &&
                dv__figures_read(json_object_get(json, "figures"), &found) == DV_OK &&
                (!found.busy || comparison->options->keep_busy);
    if (good) {
        *model = found;
        snprintf(model->date, sizeof model->date, "%s", date);
    }
    json_decref(json);
    return good;
}

static json_t *file_json(const dv_comparison *comparison, const dv_model_figures *model)
{
    char program[TEXT_SIZE];
    describe_program(comparison, program);
    json_t *figures = dv__figures_json(model);
    json_object_set_new(figures, "first_answer_s", json_real(model->first_answer));
    json_object_set_new(figures, "peak_memory_bytes", json_integer(model->peak_memory));
    return json_pack("{s:s, s:o, s:s, s:o, s:i, s:s, s:f, s:o}", "program", program, "model",
                     dv_text_json(model->path), "content", model->content, "device",
                     dv_text_json(comparison->options->device), "threads", comparison->threads,
                     "date", model->date, "seconds", comparison->options->seconds, "figures",
                     figures);
}

void dv__model_figures_keep(const dv_comparison *comparison, const dv_model_figures *model)
{
    char folder[PATH_SIZE], path[2 * PATH_SIZE];
    if (!find_file(comparison, model, folder, path))
        return;
    dv_status status = dv_make_folders(folder);
    json_t *json = file_json(comparison, model);
    if (status == DV_OK && json == NULL)
        status = DV_FAIL(DV_ENOMEM, "out of memory for the measurements");
    if (status == DV_OK)
        status = dv_json_write(path, json);
    else
        json_decref(json);
    if (status != DV_OK)
        dv_log_write(&comparison->events->log, DV_LOG_WARNING, "the measurements are not kept: %s",
                     dv_error_message());
}
