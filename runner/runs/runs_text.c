/* Prints the runs of a folder as tables, one for each group of runs on the same clips. */
#include "engine/base/column.h"
#include "runner/runs/runs.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { NAME_WIDTH = 40, MODEL_WIDTH = 16, DATE_WIDTH = 16 /* up to the minute */ };

static const char *or_dash(const char *text)
{
    return text[0] != '\0' ? text : "-";
}

/* The width of the longest name, up to NAME_WIDTH. */
static int name_width(const dv_run_list *list)
{
    int longest = (int)strlen("run");
    for (size_t i = 0; i < list->count; i++) {
        int cells = dv_cells(list->entries[i].name);
        longest = cells > longest ? cells : longest;
    }
    return longest < NAME_WIDTH ? longest : NAME_WIDTH;
}

/* Prints a name in a column. A longer one takes as much room as it needs. */
static void put_name(const dv_run_entry *entry, int width, FILE *out)
{
    fputs(dv_column(entry->name[0] != '\0' ? entry->name : ".", width, DV_SHOWN_SIZE).text, out);
}

/* Prints a share in per cent, or a dash for NaN. */
static void put_share(double share, FILE *out)
{
    if (isnan(share))
        fprintf(out, " %8s", "-");
    else
        fprintf(out, " %7.2f%%", 100 * share);
}

static void put_number(int64_t number, FILE *out)
{
    if (number < 0)
        fprintf(out, " %6s", "-");
    else
        fprintf(out, " %6" PRId64, number);
}

/* Prints the figures of a run in one line. */
static void put_run(const dv_run_entry *entry, int width, FILE *out)
{
    char interval[32];
    put_name(entry, width, out);
    snprintf(interval, sizeof interval, "%.2f to %.2f", 100 * entry->low, 100 * entry->high);
    fputs("  ", out);
    fputs(dv_column(or_dash(entry->model), MODEL_WIDTH, MODEL_WIDTH).text, out);
    put_share(dv_run_accuracy(entry), out);
    fprintf(out, "  %-15s", interval);
    put_share(entry->f1, out);
    put_share(entry->ece, out);
    put_number(entry->epochs, out);
    put_number(entry->best_epoch, out);
    if (isnan(entry->seconds))
        fprintf(out, " %9s", "-");
    else
        fprintf(out, " %9.1f", entry->seconds);
    fputs("  ", out);
    fprintf(out, "%s\n", dv_column(or_dash(entry->date), 0, DATE_WIDTH).text);
}

/* The runs that cannot be shown come last, each with its reason. */
void dv_runs_text(const dv_run_list *list, FILE *out)
{
    size_t shown = list->shown;
    int width = name_width(list);
    for (size_t first = 0, end; first < shown; first = end) {
        const dv_run_entry *best = &list->entries[first];
        end = dv_runs_group_end(list, first);
        fprintf(out, "%s%s part of the split %s, %" PRId64 " clip%s, mark %.8s\n",
                first > 0 ? "\n" : "", best->part, dv_show(best->split).text, best->count,
                dv_plural((size_t)best->count), best->mark);
        fprintf(out, "%-*s  %-*s %8s  %-15s %8s %8s %6s %6s %9s  %s\n", width, "run", MODEL_WIDTH,
                "model", "accuracy", "95% interval, %", "macro F1", "ECE", "epochs", "best",
                "seconds", "date");
        for (size_t i = first; i < end; i++)
            put_run(&list->entries[i], width, out);
    }
    if (shown > 0 && shown < list->count)
        fprintf(out, "\n");
    for (size_t i = shown; i < list->count; i++) {
        put_name(&list->entries[i], width, out);
        fprintf(out, "  %s\n", dv_show(list->entries[i].reason).text);
    }
}
