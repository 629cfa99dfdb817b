/* Prints the summary of a data set as text and as JSON. */
#include "engine/base/json.h"
#include "engine/base/text.h"
#include "runner/data/data_summary.h"
#include "runner/evaluate/report.h"
#include "runner/experiment/output.h"

#include <inttypes.h>

enum { NAMED = 12 }; /* most values, kinds or speakers in a line */

/* ---- Text ---- */

static void put_tally(FILE *out, const char *name, const dv_tally *tally, const char *unit)
{
    fprintf(out, "%-12s", name);
    for (size_t i = 0; i < tally->count && i < NAMED; i++)
        fprintf(out, "%s%" PRId64 "%s (%zu clip%s)", i > 0 ? ", " : "", tally->entries[i].value,
                unit, tally->entries[i].clips, dv_plural(tally->entries[i].clips));
    if (tally->count > NAMED)
        fprintf(out, " and %zu more", tally->count - NAMED);
    fputc('\n', out);
}

static void put_levels(FILE *out, const dv_data_summary *s, const char *name, const double *values)
{
    fprintf(out, "%-12s%.1f dB at 5 %%, median %.1f dB, %.1f dB at 95 %%, at most %.1f dB\n", name,
            dv_data_quantile(s, values, 0.05), dv_data_quantile(s, values, 0.5),
            dv_data_quantile(s, values, 0.95), dv_data_quantile(s, values, 1));
}

static void put_speakers(FILE *out, const dv_data_summary *s)
{
    if (s->speaker_count == 0) {
        fprintf(out, "%-12snot known\n", "speakers");
        return;
    }
    fprintf(out, "%-12s%zu: ", "speakers", s->speaker_count);
    for (size_t i = 0; i < s->speaker_count && i < NAMED; i++)
        fprintf(out, "%s%s (%zu)", i > 0 ? ", " : "", dv_show(s->speakers[i].name).text,
                s->speakers[i].clips);
    if (s->speaker_count > NAMED)
        fprintf(out, " and %zu more", s->speaker_count - NAMED);
    fputc('\n', out);
}

static void put_left_out(FILE *out, const dv_data_summary *s)
{
    const dv_file_kinds *kinds = &s->dataset->left_out;
    size_t named = 0;
    if (kinds->total == 0)
        return;
    fprintf(out, "%-12s", "other files");
    for (int i = 0; i < kinds->count && i < NAMED; i++) {
        fprintf(out, "%s%zu %s", i > 0 ? ", " : "", kinds->list[i].files,
                dv_show(kinds->list[i].ending).text);
        named += kinds->list[i].files;
    }
    if (kinds->total > named)
        fprintf(out, "%s%zu of other kinds", named > 0 ? ", " : "", kinds->total - named);
    fputc('\n', out);
}

static void put_classes(FILE *out, const dv_data_summary *s)
{
    fprintf(out, "\n%10s%12s%10s%10s  %s\n", "training", "validation", "test", "clips", "class");
    for (size_t i = 0; i < s->dataset->label_count; i++) {
        const size_t *parts = s->classes + i * DV_PART_COUNT;
        fprintf(out, "%10zu%12zu%10zu%10zu  %s\n", parts[DV_PART_TRAIN], parts[DV_PART_VALIDATION],
                parts[DV_PART_TEST], dv_data_class_clips(s, i),
                dv_show(s->dataset->labels[i]).text);
    }
}

static void put_findings(FILE *out, const dv_look *look)
{
    if (look->count > 0)
        fprintf(out, "\nfound:\n");
    for (size_t i = 0; i < look->count; i++)
        fprintf(out, "- %s\n", dv_show(look->findings[i].text).text);
}

void dv_data_text(const dv_data_summary *s, FILE *out)
{
    fprintf(out, "%-12s%s, split %s\n", "data", dv_show(s->data->path).text,
            dv_show(s->data->split).text);
    fprintf(out, "%-12s%zu: %zu training, %zu validation, %zu test\n", "clips", s->dataset->count,
            s->parts[DV_PART_TRAIN], s->parts[DV_PART_VALIDATION], s->parts[DV_PART_TEST]);
    fprintf(out, "%-12s%zu\n", "classes", s->dataset->label_count);
    put_speakers(out, s);
    fprintf(out, "%-12sleast %.2f s, median %.2f s, %.2f s at 95 %%, most %.2f s, total %.1f s\n",
            "duration", dv_data_quantile(s, s->seconds, 0), dv_data_quantile(s, s->seconds, 0.5),
            dv_data_quantile(s, s->seconds, 0.95), dv_data_quantile(s, s->seconds, 1), s->total);
    put_tally(out, "sample rate", &s->rates, " Hz");
    put_tally(out, "channels", &s->channels, "");
    put_levels(out, s, "RMS", s->rms);
    put_levels(out, s, "peak", s->peak);
    put_left_out(out, s);
    put_classes(out, s);
    put_findings(out, s->look);
}

/* ---- JSON ---- */

static json_t *quantiles_json(const dv_data_summary *s, const double *values)
{
    return json_pack("{s:f, s:f, s:f, s:f, s:f}", "least", dv_data_quantile(s, values, 0), "p5",
                     dv_data_quantile(s, values, 0.05), "median", dv_data_quantile(s, values, 0.5),
                     "p95", dv_data_quantile(s, values, 0.95), "most",
                     dv_data_quantile(s, values, 1));
}

static json_t *tally_json(const dv_tally *tally, const char *name)
{
    json_t *list = json_array();
    for (size_t i = 0; i < tally->count; i++)
        json_array_append_new(list,
                              json_pack("{s:I, s:I}", name, (json_int_t)tally->entries[i].value,
                                        "clips", (json_int_t)tally->entries[i].clips));
    return list;
}

static json_t *parts_json(const size_t parts[DV_PART_COUNT])
{
    json_t *map = json_object();
    for (int part = 0; part < DV_PART_COUNT; part++)
        json_object_set_new(map, dv_report_parts[part], json_integer((json_int_t)parts[part]));
    return map;
}

static json_t *classes_json(const dv_data_summary *s)
{
    json_t *list = json_array();
    for (size_t i = 0; i < s->dataset->label_count; i++)
        json_array_append_new(list, json_pack("{s:o, s:I, s:o}", "label",
                                              dv_text_json(s->dataset->labels[i]), "clips",
                                              (json_int_t)dv_data_class_clips(s, i), "parts",
                                              parts_json(s->classes + i * DV_PART_COUNT)));
    return list;
}

static json_t *speakers_json(const dv_data_summary *s)
{
    json_t *list = json_array();
    for (size_t i = 0; i < s->speaker_count; i++)
        json_array_append_new(list,
                              json_pack("{s:o, s:I}", "speaker", dv_text_json(s->speakers[i].name),
                                        "clips", (json_int_t)s->speakers[i].clips));
    return list;
}

static json_t *left_out_json(const dv_file_kinds *kinds)
{
    json_t *list = json_array();
    for (int i = 0; i < kinds->count; i++)
        json_array_append_new(list,
                              json_pack("{s:o, s:I}", "ending", dv_text_json(kinds->list[i].ending),
                                        "files", (json_int_t)kinds->list[i].files));
    return json_pack("{s:I, s:o}", "files", (json_int_t)kinds->total, "kinds", list);
}

static json_t *finding_json(const dv_data_summary *s, const dv_finding *finding)
{
    json_t *examples = json_array();
    for (int i = 0; i < finding->example_count; i++)
        json_array_append_new(examples, dv_text_json(s->dataset->clips[finding->examples[i]].path));
    return json_pack("{s:s, s:I, s:o, s:o}", "kind", dv_finding_name(finding->kind), "count",
                     (json_int_t)finding->count, "text", dv_text_json(finding->text), "examples",
                     examples);
}

static json_t *findings_json(const dv_data_summary *s)
{
    json_t *list = json_array();
    for (size_t i = 0; i < s->look->count; i++)
        json_array_append_new(list, finding_json(s, &s->look->findings[i]));
    return list;
}

/* Lists each file that cannot be read, with the reason. */
static json_t *problems_json(const dv_dataset *dataset)
{
    json_t *list = json_array();
    for (size_t i = 0; i < dataset->skipped; i++)
        json_array_append_new(list, dv_text_json(dataset->problems[i]));
    return list;
}

json_t *dv_data_json(const dv_data_summary *s)
{
    json_t *seconds = quantiles_json(s, s->seconds);
    json_object_set_new(seconds, "total", json_real(s->total));
    return json_pack("{s:s, s:o, s:o, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
                     DV_JSON_GENERATOR, DV_JSON_DECAVOX, "data", dv_text_json(s->data->path),
                     "split", dv_text_json(s->data->split), "clips", (json_int_t)s->dataset->count,
                     "parts", parts_json(s->parts), "classes", classes_json(s), "speakers",
                     speakers_json(s), "seconds", seconds, "sample_rates",
                     tally_json(&s->rates, "hz"), "channels", tally_json(&s->channels, "channels"),
                     "rms_db", quantiles_json(s, s->rms), "peak_db", quantiles_json(s, s->peak),
                     "left_out", left_out_json(&s->dataset->left_out), "unreadable",
                     problems_json(s->dataset), "findings", findings_json(s));
}
