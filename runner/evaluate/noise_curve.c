/* Makes the noise curve, and prints it as text and as JSON. */
#include "runner/evaluate/noise_curve.h"
#include "engine/base/column.h"
#include "engine/base/json.h"
#include "engine/base/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Beginning ---- */

static dv_status add_point(dv_noise_curve *curve, double snr)
{
    DV_TRY(dv_grow(curve->count, sizeof *curve->points, &curve->capacity, &curve->points));
    curve->points[curve->count++] = (dv_noise_point){.snr = snr};
    return DV_OK;
}

static dv_status add_snr(void *user, char *text)
{
    double snr;
    if (!dv_parse_float(text, &snr) || snr < DV_SNR_LEAST || snr > DV_SNR_MOST)
        return DV_FAIL(DV_EARG, "--snr: '%.40s' is not a number from %d to %d (dB)", text,
                       DV_SNR_LEAST, DV_SNR_MOST);
    return add_point(user, snr);
}

dv_status dv_noise_curve_begin(const char *snr, uint64_t seed, dv_noise_curve *out)
{
    *out = (dv_noise_curve){.seed = seed};
    dv_status status = add_point(out, INFINITY); /* the clean recordings */
    if (status == DV_OK)
        status = dv_each_item(snr, add_snr, out);
    if (status != DV_OK)
        dv_noise_curve_free(out);
    return status;
}

void dv_noise_curve_free(dv_noise_curve *curve)
{
    for (size_t i = 0; i < curve->count; i++) {
        free(curve->points[i].by_file);
        json_decref(curve->points[i].json);
    }
    free(curve->points);
    dv_noise_files_free(&curve->noises);
    *curve = (dv_noise_curve){0};
}

dv_status dv_noise_curve_read(dv_noise_curve *curve, const char *paths, const dv_model *model)
{
    int64_t sample_rate = dv_frontend_config(dv_model_frontend(model))->sample_rate;
    dv_status status = dv_noise_files_read(paths, sample_rate, &curve->noises);
    return status == DV_OK ? DV_OK : dv_fail_within(status, "--noise");
}

/* ---- Points ---- */

static dv_status give_noises(const dv_noise_curve *curve, const dv_report *clean,
                             dv_dataset *dataset)
{
    int64_t *indices;
    DV_TRY(dv_calloc((size_t)clean->count, sizeof *indices, &indices));
    for (int64_t i = 0; i < clean->count; i++)
        indices[i] = clean->clips[i] - dataset->clips;
    dv_status status =
        dv_dataset_give_noises(dataset, indices, clean->count, &curve->noises, curve->seed);
    free(indices);
    return status;
}

static void count_files(const dv_noise_curve *curve, const dv_report *report,
                        dv_noise_score *by_file)
{
    int64_t classes = report->confusion.classes;
    for (int64_t i = 0; i < report->count; i++) {
        dv_noise_score *score = &by_file[report->clips[i]->noise - curve->noises.items];
        score->count++;
        score->correct += dv_argmax(report->logits + i * classes, classes) == report->truth[i];
    }
}

/* Takes the figures out of the report of a point. */
static dv_status fill_point(const dv_noise_curve *curve, const dv_report *report,
                            dv_noise_point *point)
{
    point->score = (dv_noise_score){dv_confusion_correct(&report->confusion), report->count};
    dv_wilson_interval(point->score.correct, point->score.count, &point->low, &point->high);
    point->loss = report->loss;
    point->ece = dv_calibration_error(&report->calibration);
    DV_TRY(dv_calloc(curve->noises.count, sizeof *point->by_file, &point->by_file));
    count_files(curve, report, point->by_file);
    return DV_OK;
}

double dv_noise_accuracy(const dv_noise_score *score)
{
    return score->count > 0 ? (double)score->correct / (double)score->count : 0;
}

static json_t *files_json(const dv_noise_curve *curve, const dv_noise_score *by_file)
{
    json_t *files = json_array();
    for (size_t i = 0; i < curve->noises.count; i++)
        json_array_append_new(files, json_pack("{s:o, s:f, s:I, s:I}", "file",
                                               dv_text_json(curve->noises.items[i].path),
                                               "accuracy", dv_noise_accuracy(&by_file[i]),
                                               "correct", (json_int_t)by_file[i].correct, "count",
                                               (json_int_t)by_file[i].count));
    return files;
}

/* Makes the JSON of a point: the evaluation with "snr" in front and "files" behind. */
static dv_status fill_json(const dv_noise_curve *curve, const dv_report *report, bool clips,
                           dv_noise_point *point)
{
    json_t *evaluation = dv_report_json(report, clips);
    point->json = json_pack("{s:f}", "snr", point->snr);
    int failed = json_object_update(point->json, evaluation);
    json_decref(evaluation);
    if (failed == 0)
        failed = json_object_set_new(point->json, "files", files_json(curve, point->by_file));
    return failed == 0
               ? DV_OK
               : DV_FAIL(DV_ENOMEM, "out of memory: the report of %g dB of noise", point->snr);
}

static dv_status make_point(const dv_noise_curve *curve, dv_model *model, int threads,
                            const dv_dataset *dataset, dv_part part, bool clips,
                            dv_noise_point *point)
{
    dv_report report;
    DV_TRY(dv_report_make(model, threads, dataset, part, &report));
    dv_status status = fill_point(curve, &report, point);
    if (status == DV_OK)
        status = fill_json(curve, &report, clips, point);
    dv_report_free(&report);
    return status;
}

dv_status dv_noise_curve_make(dv_noise_curve *curve, dv_model *model, int threads,
                              const dv_report *clean, dv_dataset *dataset, dv_part part,
                              double max_seconds, bool clips, const dv_log *log)
{
    const dv_frontend *frontend = dv_model_frontend(model);
    DV_TRY(give_noises(curve, clean, dataset));
    DV_TRY(fill_point(curve, clean, &curve->points[0]));
    for (size_t i = 1; i < curve->count; i++) {
        const dv_noise_mix mix = {.snr = curve->points[i].snr, .seed = curve->seed};
        DV_TRY(dv_dataset_load_noisy(dataset, frontend, max_seconds, &mix, log));
        DV_TRY(make_point(curve, model, threads, dataset, part, clips, &curve->points[i]));
    }
    return DV_OK;
}

/* ---- Text ---- */

const char *dv_noise_point_name(const dv_noise_point *point, char name[DV_NOISE_NAME_SIZE])
{
    if (isinf(point->snr))
        return "clean";
    snprintf(name, DV_NOISE_NAME_SIZE, "%g dB", point->snr);
    return name;
}

static void print_files(const dv_noise_curve *curve, FILE *out)
{
    char name[DV_NOISE_NAME_SIZE];
    int width = 10;
    for (size_t i = 0; i < curve->noises.count; i++) {
        int cells = dv_cells(curve->noises.items[i].path);
        width = cells > width ? cells : width;
    }
    fprintf(out, "\n%-*s %6s", width, "noise file", "clips");
    for (size_t k = 0; k < curve->count; k++)
        fprintf(out, " %9s", dv_noise_point_name(&curve->points[k], name));
    for (size_t i = 0; i < curve->noises.count; i++) {
        fprintf(out, "\n%s %6lld",
                dv_column(curve->noises.items[i].path, width, DV_SHOWN_SIZE).text,
                (long long)curve->points[0].by_file[i].count);
        for (size_t k = 0; k < curve->count; k++)
            fprintf(out, " %8.2f%%", 100 * dv_noise_accuracy(&curve->points[k].by_file[i]));
    }
    fprintf(out, "\n");
}

void dv_noise_curve_text(const dv_noise_curve *curve, FILE *out)
{
    char name[DV_NOISE_NAME_SIZE], share[2 * DV_NOISE_NAME_SIZE];
    fprintf(out, "\n%-9s %9s %13s  %-18s %9s %9s\n", "noise", "accuracy", "correct", "95% interval",
            "loss", "ECE");
    for (size_t k = 0; k < curve->count; k++) {
        const dv_noise_point *point = &curve->points[k];
        snprintf(share, sizeof share, "%lld/%lld", (long long)point->score.correct,
                 (long long)point->score.count);
        fprintf(out, "%-9s %8.2f%% %13s  %6.2f%% to %6.2f%% %9.4f %8.2f%%\n",
                dv_noise_point_name(point, name), 100 * dv_noise_accuracy(&point->score), share,
                100 * point->low, 100 * point->high, point->loss, 100 * point->ece);
    }
    if (curve->noises.count > 1)
        print_files(curve, out);
}

/* ---- JSON ---- */

dv_status dv_noise_curve_json(const dv_noise_curve *curve, json_t *evaluation)
{
    json_t *points = json_array();
    for (size_t i = 1; i < curve->count; i++)
        json_array_append(points, curve->points[i].json);
    int failed = json_object_set_new(evaluation, "noise", points);
    failed |=
        json_object_set_new(evaluation, "noise_files", files_json(curve, curve->points[0].by_file));
    failed |= json_object_set_new(evaluation, "noise_seed", json_integer((json_int_t)curve->seed));
    return failed == 0 ? DV_OK : DV_FAIL(DV_ENOMEM, "out of memory: the report of the noise");
}
