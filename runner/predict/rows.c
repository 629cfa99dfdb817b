/* Writes answers as rows, and reads rows again. */
#include "runner/predict/rows.h"
#include "engine/base/csv.h"
#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/train/metrics.h"
#include "runner/evaluate/report.h"

#include <stdlib.h>
#include <string.h>

const char *const dv_row_formats[] = {DV_ROW_FORMATS, NULL};

/* ---- The answer to one window ---- */

/* The labels from the best to the worst, and their confidences. */
typedef struct ranking {
    int64_t *order;        /* (classes) */
    double *probabilities; /* (classes) by class */
    bool sure;             /* the best one reaches the threshold */
} ranking;

static void free_ranking(ranking *r)
{
    free(r->order);
    free(r->probabilities);
}

/* Sorts the best style->top labels. Equal ones keep their order, as in dv_argmax. */
static dv_status rank(const dv_row_style *style, const float *logits, ranking *r)
{
    int64_t classes = dv_model_classes(style->model);
    *r = (ranking){.order = NULL};
    dv_status status = dv_calloc((size_t)classes, sizeof *r->order, &r->order);
    if (status == DV_OK)
        status = dv_calloc((size_t)classes, sizeof *r->probabilities, &r->probabilities);
    if (status != DV_OK) {
        free_ranking(r);
        return status;
    }
    dv_softmax(logits, classes, r->probabilities);
    for (int64_t i = 0; i < classes; i++)
        r->order[i] = i;
    for (int64_t i = 0; i < classes && i < style->top; i++) {
        int64_t best = i;
        for (int64_t k = i + 1; k < classes; k++) {
            float one = logits[r->order[k]], other = logits[r->order[best]];
            if (one > other || (one == other && r->order[k] < r->order[best]))
                best = k;
        }
        int64_t moved = r->order[i];
        r->order[i] = r->order[best];
        r->order[best] = moved;
    }
    r->sure = r->probabilities[r->order[0]] >= style->threshold;
    return DV_OK;
}

static const char *label_at(const dv_row_style *style, const ranking *r, int64_t place)
{
    return dv_model_label(style->model, (size_t)r->order[place]);
}

static double confidence_at(const ranking *r, int64_t place)
{
    return r->probabilities[r->order[place]];
}

/* The number of labels in a row. */
static int64_t told(const dv_row_style *style)
{
    int64_t classes = dv_model_classes(style->model);
    return style->top < classes ? style->top : classes;
}

/* The number of labels with columns of their own in CSV. */
static int64_t ranked(const dv_row_style *style)
{
    return style->top > 1 ? told(style) : 0;
}

/* ---- Text ---- */

/* Prints a line. `start` is the start of the window, or "" if the file has one answer. */
static dv_status put_line(const dv_row_style *style, const char *file, const char *start,
                          const float *logits, FILE *out)
{
    ranking r;
    DV_TRY(rank(style, logits, &r));
    fprintf(out, "%s  %s", dv_show(file).text, start);
    fprintf(out, "%s  %.4f", r.sure ? label_at(style, &r, 0) : "-", confidence_at(&r, 0));
    for (int64_t i = r.sure ? 1 : 0; style->top > 1 && i < told(style); i++)
        fprintf(out, "  %s  %.4f", label_at(style, &r, i), confidence_at(&r, i));
    fputc('\n', out);
    free_ranking(&r);
    return DV_OK;
}

static dv_status put_text(const dv_row_style *style, const char *file, const dv_answer *answer,
                          FILE *out)
{
    if (answer->status != DV_OK)
        return DV_OK;
    if (!style->windows)
        return put_line(style, file, "", answer->logits, out);
    for (int64_t i = 0; i < answer->stretch_count; i++) {
        char start[32];
        snprintf(start, sizeof start, "%.2f  ", answer->stretches[i].from);
        DV_TRY(put_line(style, file, start, answer->stretches[i].logits, out));
    }
    return DV_OK;
}

/* ---- JSON ---- */

static json_t *top_json(const dv_row_style *style, const ranking *r)
{
    json_t *list = json_array();
    for (int64_t i = 0; i < told(style); i++)
        json_array_append_new(list, json_pack("{s:s, s:f}", "label", label_at(style, r, i),
                                              "confidence", confidence_at(r, i)));
    return list;
}

/* Adds the answer to a window: with all probabilities in a list, only the best labels in a line. */
static dv_status add_answer(const dv_row_style *style, const float *logits, json_t *to)
{
    ranking r;
    DV_TRY(rank(style, logits, &r));
    if (style->format == DV_ROWS_JSON) {
        json_t *all = dv_answer_json(style->model, NULL, logits);
        json_object_update(to, all);
        json_decref(all);
    } else {
        json_object_set_new(to, "label", json_string(label_at(style, &r, 0)));
        json_object_set_new(to, "confidence", json_real(confidence_at(&r, 0)));
    }
    if (!r.sure)
        json_object_set_new(to, "label", json_null());
    if (style->top > 1)
        json_object_set_new(to, "top", top_json(style, &r));
    free_ranking(&r);
    return DV_OK;
}

static dv_status add_windows(const dv_row_style *style, const dv_answer *answer, json_t *to)
{
    json_t *windows = json_array();
    json_object_set_new(to, "windows", windows);
    for (int64_t i = 0; i < answer->stretch_count; i++) {
        const dv_stretch *stretch = &answer->stretches[i];
        json_t *window = json_pack("{s:f, s:f}", "start", stretch->from, "end", stretch->to);
        json_array_append_new(windows, window);
        DV_TRY(add_answer(style, stretch->logits, window));
    }
    return DV_OK;
}

static dv_status fill_object(const dv_row_style *style, const dv_answer *answer, json_t *to)
{
    const dv_seen *seen = &answer->seen;
    if (answer->status != DV_OK) {
        json_object_set_new(to, "error", dv_text_json(answer->message));
        return DV_OK;
    }
    if (!style->windows)
        DV_TRY(add_answer(style, answer->logits, to));
    json_object_set_new(to, "seconds", json_real(seen->seconds));
    if (style->windows)
        return add_windows(style, answer, to);
    json_object_set_new(to, "seconds_seen", json_real(seen->to - seen->from));
    json_object_set_new(to, "seen_from", json_real(seen->from));
    return DV_OK;
}

/* Prints an element of the list, indented as if the list were printed at once. */
static void put_element(int64_t number, const char *text, FILE *out)
{
    fprintf(out, "%s\n  ", number > 0 ? "," : "");
    for (const char *c = text; *c != '\0'; c++) {
        fputc(*c, out);
        if (*c == '\n')
            fputs("  ", out);
    }
}

static dv_status put_json(const dv_row_style *style, int64_t number, const char *file,
                          const dv_answer *answer, FILE *out)
{
    bool line = style->format == DV_ROWS_JSONL;
    size_t flags = line ? JSON_COMPACT | JSON_REAL_PRECISION(9) : JSON_INDENT(2);
    json_t *json = json_pack("{s:o}", "file", dv_text_json(file));
    dv_status status = fill_object(style, answer, json);
    char *text = json_dumps(json, flags | (style->ascii ? JSON_ENSURE_ASCII : 0));
    json_decref(json);
    DV_TRY(status);
    if (text == NULL)
        return DV_FAIL(DV_ENOMEM, "out of memory for the answer to %s", file);
    if (line)
        fprintf(out, "%s\n", text);
    else
        put_element(number, text, out);
    free(text);
    return DV_OK;
}

/* ---- CSV ---- */

/* The columns of every table. Behind them, each ranked label has two columns. */
enum { CSV_FILE, CSV_LABEL, CSV_CONFIDENCE, CSV_COLUMNS = 7 };

static void put_header(const dv_row_style *style, FILE *out)
{
    fputs("file,label,confidence,seconds,seconds_seen,seen_from,error", out);
    for (int64_t i = 1; i <= ranked(style); i++)
        fprintf(out, ",label_%lld,confidence_%lld", (long long)i, (long long)i);
    fputc('\n', out);
}

static void put_empty(int64_t count, FILE *out)
{
    for (int64_t i = 0; i < count; i++)
        fputc(',', out);
}

/* Writes a row. A file that failed has only its name, and a message in the column `error`. */
static dv_status put_csv(const dv_row_style *style, const char *file, const dv_answer *answer,
                         FILE *out)
{
    const dv_seen *seen = &answer->seen;
    const dv_shown shown = dv_show(file);
    const char *name = style->ascii ? shown.text : file;
    dv_csv_put(out, name, strchr(" \t", name[0]) != NULL); /* readers strip blanks without quotes */
    if (answer->status != DV_OK) {
        put_empty(CSV_COLUMNS - 1, out);
        dv_csv_put(out, answer->message, false);
        put_empty(2 * ranked(style), out);
        fputc('\n', out);
        return DV_OK;
    }
    ranking r;
    DV_TRY(rank(style, answer->logits, &r));
    fputc(',', out);
    if (r.sure)
        dv_csv_put(out, label_at(style, &r, 0), false);
    fprintf(out, ",%.9g,%.9g,%.9g,%.9g,", confidence_at(&r, 0), seen->seconds,
            seen->to - seen->from, seen->from);
    for (int64_t i = 0; i < ranked(style); i++) {
        fputc(',', out);
        dv_csv_put(out, label_at(style, &r, i), false);
        fprintf(out, ",%.9g", confidence_at(&r, i));
    }
    fputc('\n', out);
    free_ranking(&r);
    return DV_OK;
}

/* ---- Any format ---- */

void dv_rows_begin(const dv_row_style *style, FILE *out)
{
    if (style->format == DV_ROWS_JSON)
        fputc('[', out);
    if (style->format == DV_ROWS_CSV)
        put_header(style, out);
}

void dv_rows_end(const dv_row_style *style, FILE *out)
{
    if (style->format == DV_ROWS_JSON)
        fputs("\n]\n", out);
}

dv_status dv_row_write(const dv_row_style *style, int64_t number, const char *file,
                       const dv_answer *answer, FILE *out)
{
    if (style->format == DV_ROWS_TEXT)
        return put_text(style, file, answer, out);
    if (style->format == DV_ROWS_CSV)
        return put_csv(style, file, answer, out);
    return put_json(style, number, file, answer, out);
}

/* ---- Reading them again ---- */

static bool parse_line(const char *row, size_t size, dv_row_read *out)
{
    json_t *json = json_loadb(row, size, 0, NULL);
    const char *file = json_string_value(json_object_get(json, "file"));
    out->failed = json_object_get(json, "error") != NULL;
    bool good = file != NULL && dv_strdup(file, &out->file) == DV_OK;
    json_decref(json);
    return good;
}

static bool parse_csv(char *row, dv_row_read *out)
{
    dv_csv csv = {.path = "", .next = row, .separator = ',', .line = 1};
    dv_csv_row fields;
    if (dv_csv_read(&csv, &fields) != DV_OK || fields.count < CSV_COLUMNS)
        return false;
    out->failed = fields.fields[CSV_CONFIDENCE][0] == '\0';
    return dv_strdup(fields.fields[CSV_FILE], &out->file) == DV_OK;
}

bool dv_row_parse(int format, char *row, size_t size, dv_row_read *out)
{
    *out = (dv_row_read){.file = NULL};
    return format == DV_ROWS_JSONL ? parse_line(row, size, out) : parse_csv(row, out);
}

void dv_row_read_free(dv_row_read *row)
{
    free(row->file);
    row->file = NULL;
}

dv_status dv_row_name(int format, const char *file, char **out)
{
    if (format == DV_ROWS_CSV)
        return dv_strdup(file, out);
    json_t *text = dv_text_json(file);
    const char *value = json_string_value(text);
    dv_status status =
        value != NULL ? dv_strdup(value, out) : DV_FAIL(DV_ENOMEM, "out of memory for a name");
    json_decref(text);
    return status;
}
