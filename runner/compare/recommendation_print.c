/* Prints a recommendation with its reasons, in the numbers of the comparison. */
#include "runner/compare/recommendation.h"
#include "engine/base/json.h"
#include "engine/base/shell.h"
#include "engine/base/text.h"
#include "runner/evaluate/report.h"
#include "runner/experiment/output.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_SIZE = 512, COMMAND_SIZE = 2048 + 128 };

/* ---- Descriptions of a model ---- */

static bool is_known(const dv_model_figures *model, const dv_recommendation *answer)
{
    return dv_accuracy_known(&model->accuracy) &&
           strcmp(model->accuracy.protocol, answer->protocol) == 0;
}

static void describe_accuracy(const dv_model_figures *model, const dv_recommendation *answer,
                              char text[TEXT_SIZE])
{
    const dv_accuracy *accuracy = &model->accuracy;
    if (is_known(model, answer))
        snprintf(text, TEXT_SIZE,
                 "%.2f %% (95 %% interval %.2f to %.2f), %" PRId64 " of %" PRId64 " clips by %s",
                 100 * dv_accuracy_share(accuracy), 100 * accuracy->low, 100 * accuracy->high,
                 accuracy->correct, accuracy->count, accuracy->protocol);
    else
        snprintf(text, TEXT_SIZE, "not known%s%s%s", answer->protocol[0] != '\0' ? " by " : "",
                 answer->protocol,
                 model->is_checkpoint ? "" : ": the model has to be trained first");
}

/* Describes the numbers that the rule compares. */
static void describe_rank(dv_use_case use_case, const dv_model_figures *model,
                          const dv_recommendation *answer, char text[TEXT_SIZE])
{
    char time[DV_SHORT_SIZE], product[DV_SHORT_SIZE];
    double error = is_known(model, answer) ? dv_error_rate(&model->accuracy) : 1;
    if (use_case == DV_USE_SPEED)
        snprintf(text, TEXT_SIZE, "p50 %s", dv_show_seconds(model->p50, time));
    else if (use_case == DV_USE_BALANCED)
        snprintf(text, TEXT_SIZE, "error rate %.2f %% x p50 %s = %s", 100 * error,
                 dv_show_seconds(model->p50, time), dv_show_seconds(error * model->p50, product));
    else if (use_case == DV_USE_PRODUCTION)
        snprintf(text, TEXT_SIZE, "p99 %s, and the interval up to %.2f %% reaches %.2f %%",
                 dv_show_seconds(model->p99, time), 100 * model->accuracy.high,
                 100 * answer->highest);
    else if (is_known(model, answer))
        snprintf(text, TEXT_SIZE, "accuracy %.2f %%", 100 * dv_accuracy_share(&model->accuracy));
    else
        snprintf(text, TEXT_SIZE, "%" PRId64 " parameters, accuracy not known", model->parameters);
}

static void describe_speed(const dv_model_figures *model, char text[TEXT_SIZE])
{
    char p50[DV_SHORT_SIZE], p99[DV_SHORT_SIZE], first[DV_SHORT_SIZE], peak[DV_SHORT_SIZE];
    char size[DV_SHORT_SIZE];
    snprintf(text, TEXT_SIZE,
             "p50 %s, p99 %s, %.0f clips/s at batch %" PRId64 ", %s on disk, first answer after "
             "%s with %s",
             dv_show_seconds(model->p50, p50), dv_show_seconds(model->p99, p99), model->throughput,
             model->batch, dv_show_bytes(dv_model_figures_size(model), size),
             dv_show_seconds(model->first_answer, first), dv_show_bytes(model->peak_memory, peak));
}

static const char *show_factor(double factor, char text[DV_SHORT_SIZE])
{
    snprintf(text, DV_SHORT_SIZE, factor < 100 ? "%.3g" : "%.0f", factor);
    return text;
}

/* Describes the cost and the gain of `other` in place of `best`. */
static void describe_change(const dv_model_figures *best, const dv_model_figures *other,
                            const dv_recommendation *answer, char text[TEXT_SIZE])
{
    char p50[DV_SHORT_SIZE], p99[DV_SHORT_SIZE], size[DV_SHORT_SIZE], memory[DV_SHORT_SIZE];
    int length = snprintf(
        text, TEXT_SIZE, "p50 x %s, p99 x %s, size x %s, memory x %s, accuracy ",
        show_factor(other->p50 / best->p50, p50), show_factor(other->p99 / best->p99, p99),
        show_factor((double)dv_model_figures_size(other) / (double)dv_model_figures_size(best),
                    size),
        show_factor((double)other->peak_memory / (double)best->peak_memory, memory));
    const dv_accuracy *a = &best->accuracy, *b = &other->accuracy;
    if (!is_known(best, answer) || !is_known(other, answer)) {
        snprintf(text + length, TEXT_SIZE - (size_t)length, "not known of %s",
                 is_known(best, answer)    ? "it"
                 : is_known(other, answer) ? "the one recommended"
                                           : "either");
        return;
    }
    length += snprintf(text + length, TEXT_SIZE - (size_t)length, "%+.2f points",
                       100 * (dv_accuracy_share(b) - dv_accuracy_share(a)));
    if (a->low <= b->high && b->low <= a->high)
        snprintf(text + length, TEXT_SIZE - (size_t)length,
                 " (the intervals overlap: %" PRId64 " clips do not tell them apart)", b->count);
}

static void describe_limits(const dv_limits *limits, char text[TEXT_SIZE])
{
    char part[DV_SHORT_SIZE];
    int length = 0;
    text[0] = '\0';
    if (limits->latency > 0)
        length +=
            snprintf(text, TEXT_SIZE, "p99 at most %s", dv_show_seconds(limits->latency, part));
    if (limits->bytes > 0)
        length += snprintf(text + length, TEXT_SIZE - (size_t)length, "%sat most %s on disk",
                           length > 0 ? ", " : "", dv_show_bytes((int64_t)limits->bytes, part));
    if (limits->accuracy > 0)
        snprintf(text + length, TEXT_SIZE - (size_t)length, "%saccuracy at least %.4g %%",
                 length > 0 ? ", " : "", 100 * limits->accuracy);
}

/* ---- Commands ---- */

/* Writes the command that trains the model. False if it is unknown. */
static bool train_command(const dv_model_figures *model, char text[COMMAND_SIZE])
{
    if (model->command[0] != '\0')
        snprintf(text, COMMAND_SIZE, "%s", model->command);
    else if (!model->is_checkpoint)
        snprintf(text, COMMAND_SIZE, "decavox train %s --data FOLDER --out runs/%s", model->path,
                 model->name);
    else
        return false;
    return true;
}

static void use_command(const dv_model_figures *model, char text[COMMAND_SIZE])
{
    char path[DV_STRING_SIZE + 32], *command;
    if (model->is_checkpoint)
        snprintf(path, sizeof path, "%s", model->path);
    else
        snprintf(path, sizeof path, "runs/%s/model.safetensors", model->name);
    const char *const words[] = {"predict", path, "FILE..."};
    text[0] = '\0';
    if (dv_shell_command(words, 3, &command) != DV_OK)
        return;
    snprintf(text, COMMAND_SIZE, "%s", command);
    free(command);
}

/* ---- Text ---- */

static void print_line(FILE *out, const char *name, const char *text)
{
    if (text[0] != '\0')
        fprintf(out, "%-10s %s\n", name, dv_show(text).text);
}

static void print_commands(FILE *out, const dv_model_figures *model)
{
    char command[COMMAND_SIZE];
    if (train_command(model, command))
        print_line(out, "train", command);
    else
        fprintf(out,
                "%-10s not known, since %s has no card; `decavox info %s` prints its "
                "configuration\n",
                "train", dv_show(model->path).text, dv_show(model->path).text);
    use_command(model, command);
    print_line(out, "use", command);
}

static void print_model(FILE *out, const dv_model_figures *model, const dv_recommendation *answer)
{
    char text[TEXT_SIZE];
    describe_accuracy(model, answer, text);
    print_line(out, "accuracy", text);
    describe_speed(model, text);
    print_line(out, "measured", text);
}

/* Prints `name` and the names of the models for which `in` is true, or nothing without any. */
static void print_names(FILE *out, const char *name, const dv_comparison *comparison,
                        bool (*in)(const dv_model_figures *model, const dv_recommendation *answer),
                        const dv_recommendation *answer, const char *text)
{
    const char *before = "";
    for (size_t i = 0; i < comparison->count; i++) {
        const dv_model_figures *model = &comparison->models[i];
        if (!in(model, answer))
            continue;
        if (before[0] == '\0')
            fprintf(out, "%-10s ", name);
        fprintf(out, "%s%s", before, dv_show(model->name).text);
        before = ", ";
    }
    if (before[0] != '\0')
        fprintf(out, ": %s\n", text);
}

static bool is_busy(const dv_model_figures *model, const dv_recommendation *answer)
{
    (void)answer;
    return model->busy;
}

/* Whether the accuracy of a model is known, but by another protocol. */
static bool is_elsewhere(const dv_model_figures *model, const dv_recommendation *answer)
{
    return dv_accuracy_known(&model->accuracy) && !is_known(model, answer);
}

static void print_doubts(FILE *out, const dv_comparison *comparison,
                         const dv_recommendation *answer)
{
    char text[TEXT_SIZE];
    print_names(out, "busy", comparison, is_busy, answer,
                "the machine was busy with other work meanwhile, and on an idle one the times may "
                "be shorter");
    snprintf(text, sizeof text, "accuracy on other clips than those of %s, so it is not compared",
             answer->protocol);
    print_names(out, "elsewhere", comparison, is_elsewhere, answer, text);
}

static void print_why(FILE *out, dv_use_case use_case, const dv_recommendation *answer)
{
    char first[TEXT_SIZE], next[TEXT_SIZE];
    describe_rank(use_case, answer->best, answer, first);
    if (answer->second == NULL) {
        fprintf(out, "%-10s %s; no other is left by the rule and the limits\n", "why", first);
        return;
    }
    describe_rank(use_case, answer->second, answer, next);
    fprintf(out, "%-10s %s; the next, %s: %s\n", "why", first, dv_show(answer->second->name).text,
            next);
}

/* If no model is suitable, the figures and the commands are those of the nearest miss. */
void dv_recommendation_text(const dv_comparison *comparison, dv_use_case use_case,
                            const dv_limits *limits, const dv_recommendation *answer, FILE *out)
{
    char text[TEXT_SIZE];
    const dv_model_figures *told = answer->best != NULL ? answer->best : answer->nearest;
    if (answer->best != NULL)
        fprintf(out, "%s: %s (%s)\n\n", dv_use_case_names[use_case], dv_show(told->name).text,
                dv_show(told->path).text);
    else
        fprintf(out, "%s: none of %zu models will do\n\n", dv_use_case_names[use_case],
                comparison->count);
    print_line(out, "rule", dv_use_case_rules[use_case]);
    describe_limits(limits, text);
    print_line(out, "within", text);
    if (answer->best != NULL)
        print_why(out, use_case, answer);
    else
        fprintf(out, "%-10s %s (%s): %s\n", "nearest", dv_show(told->name).text,
                dv_show(told->path).text, dv_show(answer->miss).text);
    print_model(out, told, answer);
    if (answer->second != NULL) {
        describe_change(answer->best, answer->second, answer, text);
        fprintf(out, "%-10s %s (%s): %s\n", "runner-up", dv_show(answer->second->name).text,
                dv_show(answer->second->path).text, text);
    }
    print_doubts(out, comparison, answer);
    print_commands(out, told);
    fputc('\n', out);
    dv_comparison_place(comparison, out);
}

/* ---- JSON ---- */

static json_t *elsewhere_json(const dv_comparison *comparison, const dv_recommendation *answer)
{
    json_t *names = json_array();
    for (size_t i = 0; i < comparison->count; i++) {
        if (is_elsewhere(&comparison->models[i], answer))
            json_array_append_new(names, dv_text_json(comparison->models[i].name));
    }
    return names;
}

static json_t *limit_json(double limit, double unit)
{
    return limit > 0 ? json_real(limit * unit) : json_null();
}

static json_t *model_json(const dv_model_figures *model)
{
    return model != NULL ? dv_model_figures_json(model) : json_null();
}

static json_t *commands_json(const dv_model_figures *model)
{
    char train[COMMAND_SIZE], use[COMMAND_SIZE];
    bool known = train_command(model, train);
    use_command(model, use);
    return json_pack("{s:o, s:o}", "train", known ? dv_text_json(train) : json_null(), "use",
                     dv_text_json(use));
}

void dv_recommendation_json(const dv_comparison *comparison, dv_use_case use_case,
                            const dv_limits *limits, const dv_recommendation *answer, FILE *out)
{
    const dv_model_figures *told = answer->best != NULL ? answer->best : answer->nearest;
    json_t *json = json_pack(
        "{s:s, s:s, s:s, s:{s:o, s:o, s:o}, s:o, s:o, s:i, s:o, s:o, s:o, s:o, s:o, s:o}",
        DV_JSON_GENERATOR, DV_JSON_DECAVOX, "use_case", dv_use_case_names[use_case], "rule",
        dv_use_case_rules[use_case], "limits", "latency_p99_ms", limit_json(limits->latency, 1e3),
        "size_mb", limit_json(limits->bytes, 1e-6), "accuracy", limit_json(limits->accuracy, 1),
        "protocol", dv_text_json(answer->protocol), "device",
        dv_text_json(comparison->options->device), "threads", comparison->threads, "recommended",
        model_json(answer->best), "runner_up", model_json(answer->second), "nearest",
        model_json(answer->nearest), "miss", dv_text_json(answer->miss), "commands",
        commands_json(told), "not_compared", elsewhere_json(comparison, answer));
    (void)dv_json_print(json, out);
    json_decref(json);
}
