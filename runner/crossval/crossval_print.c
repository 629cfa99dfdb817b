/* Prints the summary of a cross-validation, as text and as JSON. */
#include "runner/crossval/crossval.h"
#include "engine/base/column.h"
#include "engine/base/json.h"
#include "engine/base/text.h"
#include "runner/evaluate/report.h"
#include "runner/experiment/output.h"

#include <inttypes.h>
#include <math.h>

/* ---- Text ---- */

enum { PERCENT_SIZE = 16 };

/* Formats a share as "97.50%", or NaN as "-". */
static const char *percent(double share, char text[PERCENT_SIZE])
{
    snprintf(text, PERCENT_SIZE, isnan(share) ? "-" : "%.2f%%", 100 * share);
    return text;
}

static const dv_crossval_result *
result_of(const dv_crossval *all, const dv_crossval_summary *summary, size_t seed, size_t fold)
{
    return &summary->results[seed * all->fold_count + fold];
}

/* Prints the accuracies by fold and seed, with means and deviations of both. */
static void print_table(const dv_crossval *all, const dv_crossval_summary *summary, FILE *out)
{
    char text[PERCENT_SIZE];
    fprintf(out, "%-16s", "fold, seed");
    for (size_t s = 0; s < all->seed_count; s++)
        fprintf(out, " %10" PRId64, all->seeds[s]);
    fprintf(out, " %10s %10s\n", "mean", "deviation");
    for (size_t f = 0; f < all->fold_count; f++) {
        fputs(dv_column(all->folds[f], 16, DV_SHOWN_SIZE).text, out);
        for (size_t s = 0; s < all->seed_count; s++) {
            const dv_crossval_result *result = result_of(all, summary, s, f);
            fprintf(out, " %10s", percent(result->finished ? result->accuracy : (double)NAN, text));
        }
        fprintf(out, " %10s", percent(summary->folds[f].mean, text));
        fprintf(out, " %10s\n", percent(summary->folds[f].deviation, text));
    }
    fprintf(out, "%-16s", "mean");
    for (size_t s = 0; s < all->seed_count; s++)
        fprintf(out, " %10s", percent(summary->seeds[s].mean, text));
    fprintf(out, " %10s", percent(summary->runs.mean, text));
    fprintf(out, " %10s\n", percent(summary->over_seeds.deviation, text));
    fprintf(out, "%-16s", "deviation");
    for (size_t s = 0; s < all->seed_count; s++)
        fprintf(out, " %10s", percent(summary->seeds[s].deviation, text));
    fprintf(out, " %10s\n\n", percent(summary->over_folds.deviation, text));
}

void dv_crossval_end_text(const dv_crossval *all, const dv_crossval_end *end, FILE *out)
{
    const dv_crossval_run *run = end->run;
    fprintf(out, "%zu/%zu  %s seed %" PRId64 "  ", end->number, all->run_count,
            all->folds[run->fold], all->seeds[run->seed]);
    if (run->error != NULL)
        fprintf(out, "failed: %s", run->error);
    else if (!end->result.finished)
        fprintf(out, "interrupted");
    else
        fprintf(out, "accuracy %.2f%%, %" PRId64 " of %" PRId64, 100 * end->result.accuracy,
                end->result.correct, end->result.count);
    if (end->seconds >= 0)
        fprintf(out, "  %.1f s\n", end->seconds);
    else
        fprintf(out, "  done before\n");
}

/* Prints the table of all runs, the mean, the worst fold, and the figures of all answers
   together. */
void dv_crossval_text(const dv_crossval *all, const dv_crossval_summary *summary, FILE *out)
{
    char mean[PERCENT_SIZE], over_seeds[PERCENT_SIZE], over_folds[PERCENT_SIZE];
    fprintf(out, "%s: %zu fold%s%s, %zu seed%s, %zu of %zu run%s%s\n\n", dv_show(all->model).text,
            all->fold_count, dv_plural(all->fold_count), all->by_speaker ? " by speaker" : "",
            all->seed_count, dv_plural(all->seed_count), summary->finished, all->run_count,
            dv_plural(all->run_count), summary->finished < all->run_count ? ": INCOMPLETE" : "");
    print_table(all, summary, out);
    fprintf(out, "accuracy %s, the mean of the runs; deviation over seeds %s, over folds %s\n",
            percent(summary->runs.mean, mean), percent(summary->over_seeds.deviation, over_seeds),
            percent(summary->over_folds.deviation, over_folds));
    fprintf(out, "worst fold %s: %s\n", all->folds[summary->worst],
            percent(summary->folds[summary->worst].mean, mean));
    fprintf(out,
            "pooled %.2f%% (%" PRId64 " of %" PRId64 "; on %" PRId64 " clips 95%% interval "
            "%.2f%% to %.2f%%), loss %.4f\n",
            100.0 * (double)summary->correct / (double)summary->count, summary->correct,
            summary->count, summary->clips, 100 * summary->low, 100 * summary->high, summary->loss);
    if (summary->has_calibration)
        fprintf(out, "ECE %.2f%%\n", 100 * dv_calibration_error(&summary->calibration));
    dv_confusion_text(&summary->confusion, (const char *const *)summary->labels, out);
}

/* ---- JSON ---- */

static json_t *number(double value)
{
    return isnan(value) ? json_null() : json_real(value);
}

static json_t *protocol_json(const dv_crossval *all)
{
    json_t *folds = json_array(), *seeds = json_array();
    for (size_t i = 0; i < all->fold_count; i++)
        json_array_append_new(folds, dv_text_json(all->folds[i]));
    for (size_t i = 0; i < all->seed_count; i++)
        json_array_append_new(seeds, json_integer(all->seeds[i]));
    return json_pack("{s:s, s:o, s:o, s:I}", "kind", all->by_speaker ? "speaker" : "parts", "folds",
                     folds, "seeds", seeds, "clips", (json_int_t)all->clips);
}

/* Lists the runs that have finished, with their figures, or the others, with their errors. */
static json_t *runs_json(const dv_crossval *all, const dv_crossval_summary *summary, bool finished)
{
    json_t *runs = json_array();
    for (size_t i = 0; i < all->run_count; i++) {
        const dv_crossval_run *run = &all->runs[i];
        const dv_crossval_result *result = &summary->results[i];
        if (result->finished != finished)
            continue;
        json_t *one = json_pack("{s:o, s:I}", "fold", dv_text_json(all->folds[run->fold]), "seed",
                                (json_int_t)all->seeds[run->seed]);
        if (finished)
            json_object_update_new(one,
                                   json_pack("{s:f, s:I, s:I, s:f}", "accuracy", result->accuracy,
                                             "correct", (json_int_t)result->correct, "count",
                                             (json_int_t)result->count, "loss", result->loss));
        else
            json_object_set_new(one, "error",
                                run->error != NULL ? dv_text_json(run->error) : json_null());
        json_array_append_new(runs, one);
    }
    return runs;
}

/* Makes {name: ..., "accuracy": mean, "deviation": ..., "runs": count}. */
static json_t *spread_json(const char *name, json_t *of, const dv_spread *spread)
{
    return json_pack("{s:o, s:o, s:o, s:I}", name, of, "accuracy", number(spread->mean),
                     "deviation", number(spread->deviation), "runs", (json_int_t)spread->count);
}

/* Makes the figures of all answers together, with the keys of dv_report_json and the number of
   clips, which the seeds share. */
static json_t *pooled_json(const dv_crossval_summary *summary)
{
    const char *const *labels = (const char *const *)summary->labels;
    json_t *json =
        json_pack("{s:f, s:I, s:I, s:I, s:[f, f], s:f, s:o, s:o}", "accuracy",
                  (double)summary->correct / (double)summary->count, "correct",
                  (json_int_t)summary->correct, "count", (json_int_t)summary->count, "clips",
                  (json_int_t)summary->clips, "interval_95", summary->low, summary->high, "loss",
                  summary->loss, "classes", dv_classes_json(&summary->confusion, labels),
                  "confusion", dv_confusion_json(&summary->confusion));
    if (summary->has_calibration)
        json_object_set_new(json, "calibration", dv_calibration_json(&summary->calibration));
    return json;
}

/* Makes the content of crossval.json. */
json_t *dv_crossval_json(const dv_crossval *all, const dv_crossval_summary *summary)
{
    json_t *folds = json_array(), *seeds = json_array();
    for (size_t i = 0; i < all->fold_count; i++)
        json_array_append_new(folds,
                              spread_json("fold", dv_text_json(all->folds[i]), &summary->folds[i]));
    for (size_t i = 0; i < all->seed_count; i++)
        json_array_append_new(seeds,
                              spread_json("seed", json_integer(all->seeds[i]), &summary->seeds[i]));
    return json_pack(
        "{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
        DV_JSON_GENERATOR, DV_JSON_DECAVOX, "version", DV_VERSION, "configuration",
        dv_text_json(all->configuration), "model", dv_text_json(all->model), "parameters",
        all->parameters > 0 ? json_integer(all->parameters) : json_null(), "data",
        dv_text_json(all->data), "protocol", protocol_json(all), "complete",
        summary->finished == all->run_count, "accuracy", number(summary->runs.mean),
        "deviation_over_seeds", number(summary->over_seeds.deviation), "deviation_over_folds",
        number(summary->over_folds.deviation), "worst_fold",
        spread_json("fold", dv_text_json(all->folds[summary->worst]),
                    &summary->folds[summary->worst]),
        "folds", folds, "seeds", seeds, "pooled", pooled_json(summary), "runs",
        runs_json(all, summary, true), "failed", runs_json(all, summary, false));
}
