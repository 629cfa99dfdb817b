/* Prints the comparison as a table, as CSV and as JSON. */
#include "runner/compare/comparison.h"
#include "engine/base/column.h"
#include "engine/base/csv.h"
#include "engine/base/json.h"
#include "engine/base/text.h"
#include "runner/evaluate/report.h"
#include "runner/experiment/output.h"

#include <inttypes.h>
#include <string.h>

/* ---- Numbers ---- */

int64_t dv_model_figures_size(const dv_model_figures *model)
{
    return model->bytes[model->file >= 0 ? model->file : DV_CHECKPOINT_FP32];
}

const char *dv_show_seconds(double seconds, char text[DV_SHORT_SIZE])
{
    static const char *const units[] = {"us", "ms", "s"};
    double number = 1e6 * seconds;
    int unit = 0;
    for (; unit < 2 && number >= 1000; unit++)
        number /= 1000;
    snprintf(text, DV_SHORT_SIZE, "%.*f %s", number < 10 ? 2 : 1, number, units[unit]);
    return text;
}

const char *dv_show_bytes(int64_t bytes, char text[DV_SHORT_SIZE])
{
    if (bytes >= 0)
        snprintf(text, DV_SHORT_SIZE, "%.3f MB", 1e-6 * (double)bytes);
    else
        snprintf(text, DV_SHORT_SIZE, "-");
    return text;
}

static double mflops(const dv_model_figures *model)
{
    return 2e-6 * (double)model->macs;
}

/* ---- The table ---- */

/* Formats a size as "5.252*": megabytes, with an asterisk if it is that of the file on disk. */
static const char *show_size(const dv_model_figures *model, int precision, char text[DV_SHORT_SIZE])
{
    if (model->bytes[precision] < 0)
        return "";
    snprintf(text, DV_SHORT_SIZE, "%.3f%s", 1e-6 * (double)model->bytes[precision],
             model->file == precision ? "*" : " ");
    return text;
}

/* Formats a figure as "264.9!", with an exclamation mark if the machine was busy. */
static const char *show_time(const dv_model_figures *model, int digits, double value,
                             char text[DV_SHORT_SIZE])
{
    snprintf(text, DV_SHORT_SIZE, "%.*f%s", digits, value, model->busy ? "!" : "");
    return text;
}

static void print_accuracy(const dv_accuracy *accuracy, FILE *out)
{
    if (dv_accuracy_known(accuracy))
        fprintf(out, "  %6.2f (%.2f to %.2f) %s", 100 * dv_accuracy_share(accuracy),
                100 * accuracy->low, 100 * accuracy->high, dv_show(accuracy->protocol).text);
    fputc('\n', out);
}

static void print_row(const dv_model_figures *model, int width, FILE *out)
{
    char full[DV_SHORT_SIZE], small[DV_SHORT_SIZE], p50[DV_SHORT_SIZE], p99[DV_SHORT_SIZE];
    char rate[DV_SHORT_SIZE], first[DV_SHORT_SIZE];
    char from_16[DV_SHORT_SIZE], from_48[DV_SHORT_SIZE];
    fprintf(out, "%s %10" PRId64 " %9s %9s %8.3f %9s %9s %9s %9s %9s %5" PRId64 " %8.1f %8s",
            dv_column(model->name, width, DV_SHOWN_SIZE).text, model->parameters,
            show_size(model, DV_CHECKPOINT_FP32, full), show_size(model, DV_CHECKPOINT_FP16, small),
            mflops(model), show_time(model, 1, 1e6 * model->p50, p50),
            show_time(model, 1, 1e6 * model->p99, p99),
            show_time(model, 1, 1e6 * model->answer[0], from_16),
            show_time(model, 1, 1e6 * model->answer[1], from_48),
            show_time(model, 0, model->throughput, rate), model->batch,
            1e-6 * (double)model->peak_memory,
            show_time(model, 1, 1e3 * model->first_answer, first));
    print_accuracy(&model->accuracy, out);
}

/* Prints the date of the measurements, "2026-11-22T23:10:05Z", or the first and the last date. */
static void print_dates(const dv_comparison *comparison, FILE *out)
{
    const char *first = comparison->models[0].date, *last = first;
    size_t kept = 0;
    for (size_t i = 0; i < comparison->count; i++) {
        const char *date = comparison->models[i].date;
        first = strcmp(date, first) < 0 ? date : first;
        last = strcmp(date, last) > 0 ? date : last;
        kept += comparison->models[i].kept;
    }
    fprintf(out, "measured %s", first);
    if (strcmp(first, last) != 0)
        fprintf(out, " to %s", last);
    if (kept > 0)
        fprintf(out, "; %zu of %zu kept from before, --fresh measures anew", kept,
                comparison->count);
    fputc('\n', out);
}

void dv_comparison_place(const dv_comparison *comparison, FILE *out)
{
    fprintf(out, "%s, %d thread%s: %s\n", comparison->options->device, comparison->threads,
            dv_plural((size_t)comparison->threads), comparison->machine);
    print_dates(comparison, out);
}

static bool any_accuracy(const dv_comparison *comparison)
{
    for (size_t i = 0; i < comparison->count; i++) {
        if (dv_accuracy_known(&comparison->models[i].accuracy))
            return true;
    }
    return false;
}

/* Whether some of the accuracies cannot be compared. */
static bool several_protocols(const dv_comparison *comparison)
{
    const char *common = dv_common_protocol(comparison->models, comparison->count);
    for (size_t i = 0; i < comparison->count; i++) {
        const dv_accuracy *accuracy = &comparison->models[i].accuracy;
        if (dv_accuracy_known(accuracy) && strcmp(accuracy->protocol, common) != 0)
            return true;
    }
    return false;
}

bool dv_comparison_busy(const dv_comparison *comparison)
{
    for (size_t i = 0; i < comparison->count; i++) {
        if (comparison->models[i].busy)
            return true;
    }
    return false;
}

/* Prints the explanations of the columns. */
static void print_notes(const dv_comparison *comparison, FILE *out)
{
    fputs(
        "\n"
        "MB       on disk, 10^6 bytes; * the file as it is, else what would be written\n"
        "MFLOPs   2 x multiply-adds of a clip\n"
        "p50, p99 of the forward pass of one clip, from features to logits, host to host\n"
        "16, 48 kHz us   from a window's samples at that rate to the answer, one sound at a time\n"
        "clips/s  of the forward pass at the batch that gives the most of them\n"
        "peak MB, first ms   of a fresh `decavox predict` of one file\n",
        out);
    if (dv_comparison_busy(comparison))
        fputs("!        the machine was busy with other work: on an idle one it may be faster\n",
              out);
    if (any_accuracy(comparison))
        fputs("accuracy by the model's card, with the 95 % Wilson interval and the protocol: "
              "checkpoints/README.md;\n"
              "         or by the report of its run, with split, part and a mark of its clips\n",
              out);
    if (several_protocols(comparison))
        fputs("         those by another protocol or of other clips are not to be compared\n", out);
}

void dv_comparison_table(const dv_comparison *comparison, FILE *out)
{
    int width = 5;
    for (size_t i = 0; i < comparison->count; i++) {
        int cells = dv_cells(comparison->models[i].name);
        width = cells > width ? cells : width;
    }
    dv_comparison_place(comparison, out);
    fprintf(out, "\n%-*s %10s %9s %9s %8s %9s %9s %9s %9s %9s %5s %8s %8s  %s\n", width, "model",
            "parameters", "FP32 MB ", "FP16 MB ", "MFLOPs", "p50 us", "p99 us", "16 kHz us",
            "48 kHz us", "clips/s", "batch", "peak MB", "first ms", "accuracy %");
    for (size_t i = 0; i < comparison->count; i++)
        print_row(&comparison->models[i], width, out);
    print_notes(comparison, out);
}

/* ---- CSV ---- */

static void put_bytes(int64_t bytes, FILE *out)
{
    if (bytes >= 0)
        fprintf(out, "%" PRId64, bytes);
    fputc(',', out);
}

/* Writes a line of CSV for one model. The fields of an unknown accuracy stay empty. */
static void put_row(const dv_model_figures *model, FILE *out)
{
    static const char *const files[] = {"", "fp32", "fp16"};
    const dv_accuracy *accuracy = &model->accuracy;
    dv_csv_put(out, dv_show(model->name).text, true);
    fputc(',', out);
    dv_csv_put(out, dv_show(model->path).text, true);
    fprintf(out, ",%" PRId64 ",", model->parameters);
    put_bytes(model->bytes[DV_CHECKPOINT_FP32], out);
    put_bytes(model->bytes[DV_CHECKPOINT_FP16], out);
    fprintf(out, "%s,%.9g,%.9g,%.9g,%.9g,%.9g,%.9g,%" PRId64 ",%" PRId64 ",%.9g,",
            files[model->file + 1], mflops(model), 1e6 * model->p50, 1e6 * model->p99,
            1e6 * model->answer[0], 1e6 * model->answer[1], model->throughput, model->batch,
            model->peak_memory, 1e3 * model->first_answer);
    if (dv_accuracy_known(accuracy))
        fprintf(out, "%s,%.9g,%.9g,%.9g,%" PRId64 ",%" PRId64, dv_show(accuracy->protocol).text,
                dv_accuracy_share(accuracy), accuracy->low, accuracy->high, accuracy->correct,
                accuracy->count);
    else
        fputs(",,,,,", out);
    fprintf(out, ",%s,%s\n", model->date, model->busy ? "true" : "false");
}

void dv_comparison_csv(const dv_comparison *comparison, FILE *out)
{
    fputs("model,path,parameters,bytes_fp32,bytes_fp16,file,mflops,latency_p50_us,latency_p99_us,"
          "answer_16_khz_us,answer_48_khz_us,throughput_per_s,throughput_batch,peak_memory_bytes,"
          "first_answer_ms,protocol,accuracy,"
          "accuracy_low,accuracy_high,correct,count,measured,busy\n",
          out);
    for (size_t i = 0; i < comparison->count; i++)
        put_row(&comparison->models[i], out);
}

/* ---- JSON ---- */

static json_t *bytes_json(int64_t bytes)
{
    return bytes >= 0 ? json_integer(bytes) : json_null();
}

static json_t *accuracy_json(const dv_accuracy *accuracy)
{
    if (!dv_accuracy_known(accuracy))
        return json_null();
    return json_pack("{s:o, s:f, s:I, s:I, s:[f, f]}", "protocol", dv_text_json(accuracy->protocol),
                     "accuracy", dv_accuracy_share(accuracy), "correct",
                     (json_int_t)accuracy->correct, "count", (json_int_t)accuracy->count,
                     "interval_95", accuracy->low, accuracy->high);
}

/* Makes the JSON of a model, in readable units: microseconds, milliseconds and MFLOPs. */
json_t *dv_model_figures_json(const dv_model_figures *model)
{
    static const char *const files[] = {"fp32", "fp16"};
    return json_pack("{s:o, s:o, s:b, s:I, s:[I, I], s:o, s:o, s:o, s:f, s:f, s:f, s:f, s:f, s:f, "
                     "s:I, s:I, s:f, "
                     "s:o, "
                     "s:s, s:b, s:b}",
                     "model", dv_text_json(model->name), "path", dv_text_json(model->path),
                     "trained", model->is_checkpoint, "parameters", (json_int_t)model->parameters,
                     "features", (json_int_t)model->rows, (json_int_t)model->frames, "bytes_fp32",
                     bytes_json(model->bytes[DV_CHECKPOINT_FP32]), "bytes_fp16",
                     bytes_json(model->bytes[DV_CHECKPOINT_FP16]), "file",
                     model->file >= 0 ? json_string(files[model->file]) : json_null(), "mflops",
                     mflops(model), "latency_p50_us", 1e6 * model->p50, "latency_p99_us",
                     1e6 * model->p99, "answer_16_khz_us", 1e6 * model->answer[0],
                     "answer_48_khz_us", 1e6 * model->answer[1], "throughput_per_s",
                     model->throughput, "throughput_batch", (json_int_t)model->batch,
                     "peak_memory_bytes", (json_int_t)model->peak_memory, "first_answer_ms",
                     1e3 * model->first_answer, "accuracy", accuracy_json(&model->accuracy),
                     "measured", model->date, "kept", model->kept, "busy", model->busy);
}

void dv_comparison_json(const dv_comparison *comparison, FILE *out)
{
    json_t *models = json_array();
    for (size_t i = 0; i < comparison->count; i++)
        json_array_append_new(models, dv_model_figures_json(&comparison->models[i]));
    json_t *json = json_pack("{s:s, s:s, s:s, s:o, s:o, s:i, s:o}", DV_JSON_GENERATOR,
                             DV_JSON_DECAVOX, "version", DV_VERSION, "program", comparison->program,
                             "machine", dv_text_json(comparison->machine), "device",
                             dv_text_json(comparison->options->device), "threads",
                             comparison->threads, "models", models);
    (void)dv_json_print(json, out);
    json_decref(json);
}
