/* The page's section of curves over the epochs, made from metrics.csv. */
#include "engine/base/input_file.h"
#include "runner/evaluate/report_html.h"
#include "runner/page/svg.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The first columns of metrics.csv. */
enum {
    EPOCH,
    TRAIN_LOSS,
    TRAIN_ACCURACY,
    VALIDATION_LOSS,
    VALIDATION_ACCURACY,
    LEARNING_RATE,
    GRADIENT_NORM,
    COLUMNS
};

typedef struct run_history {
    double *columns[COLUMNS]; /* (count) each, owned */
    size_t count, room;
    double best; /* epoch; 0 stands for none */
} run_history;

static void history_free(run_history *history)
{
    for (int k = 0; k < COLUMNS; k++)
        free(history->columns[k]);
}

static dv_status grow(run_history *history)
{
    if (history->count < history->room)
        return DV_OK;
    size_t room = history->room > 0 ? 2 * history->room : 64;
    for (int k = 0; k < COLUMNS; k++) {
        double *larger = realloc(history->columns[k], room * sizeof *larger);
        if (larger == NULL)
            return DV_FAIL(DV_ENOMEM, "out of memory: %zu epochs", room);
        history->columns[k] = larger;
    }
    history->room = room;
    return DV_OK;
}

/* A field that is empty or no number is NaN. Lines that do not begin with an epoch are none. */
static void add_row(run_history *history, const char *line)
{
    for (int k = 0; k < COLUMNS; k++) {
        char *end;
        double value = strtod(line, &end);
        history->columns[k][history->count] = end != line ? value : NAN;
        line += strcspn(line, ",\n");
        line += *line == ',';
    }
    double scale = 100; /* per cent */
    history->columns[TRAIN_ACCURACY][history->count] *= scale;
    history->columns[VALIDATION_ACCURACY][history->count] *= scale;
    if (isfinite(history->columns[EPOCH][history->count]))
        history->count++;
}

static dv_status read_history(const char *path, run_history *out)
{
    char line[512];
    FILE *file;
    DV_TRY(dv_input_open(path, &file));
    dv_status status = DV_OK;
    while (status == DV_OK && fgets(line, sizeof line, file) != NULL) {
        status = grow(out);
        if (status == DV_OK)
            add_row(out, line);
    }
    fclose(file);
    return status;
}

/* Draws a column of metrics.csv. Below 0, `validation` says that there is no second line. */
static void put_chart(FILE *out, const run_history *history, const char *id, const char *title,
                      const char *unit, int train, int validation)
{
    dv_line lines[2] = {
        {.name = "training", .class = "train", .values = history->columns[train]},
        {.name = "validation", .class = "validation"},
    };
    dv_chart chart = {.id = id,
                      .title = title,
                      .unit = unit,
                      .epochs = history->columns[EPOCH],
                      .count = history->count,
                      .lines = lines,
                      .line_count = 1,
                      .best = history->best};
    if (validation >= 0) {
        lines[1].values = history->columns[validation];
        chart.line_count = 2;
    } else {
        lines[0].name = title;
    }
    dv_svg_lines(out, &chart);
}

/* Says which epoch the model is of. */
static void put_best(FILE *out, const dv_run_facts *facts)
{
    if (facts->best_epoch > 0)
        fprintf(out,
                "<p>Epoch <b>%" PRId64 "</b> of %" PRId64
                " is the best one: validation accuracy %.2f&#160;%%, loss %.4f. The model has the "
                "weights of this epoch, which a dotted line marks.</p>\n",
                facts->best_epoch, facts->epochs, 100 * facts->best_accuracy, facts->best_loss);
    else
        fprintf(out,
                "<p>There were no clips for validation, so the model has the weights of the last "
                "epoch, <b>%" PRId64 "</b>.</p>\n",
                facts->epochs);
}

dv_status dv__html_curves(FILE *out, const char *metrics, const dv_run_facts *facts)
{
    run_history history = {.best = (double)facts->best_epoch};
    dv_status status = read_history(metrics, &history);
    if (status == DV_OK && history.count > 0) {
        fputs("<section>\n<h2>Training</h2>\n", out);
        put_best(out, facts);
        fputs("<div class=\"charts\">\n", out);
        put_chart(out, &history, "loss", "loss", "", TRAIN_LOSS, VALIDATION_LOSS);
        put_chart(out, &history, "accuracy", "accuracy", " %", TRAIN_ACCURACY, VALIDATION_ACCURACY);
        put_chart(out, &history, "rate", "learning rate", "", LEARNING_RATE, -1);
        put_chart(out, &history, "norm", "gradient norm", "", GRADIENT_NORM, -1);
        fputs("</div>\n</section>\n", out);
    }
    history_free(&history);
    return status;
}
