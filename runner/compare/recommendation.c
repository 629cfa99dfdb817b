/* The rules of the use cases, the limits, and the nearest miss if no model is suitable. */
#include "runner/compare/recommendation.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

const char *const dv_use_case_names[] = {DV_USE_CASE_NAMES, NULL};

const char *const dv_use_case_rules[] = {
    [DV_USE_ACCURACY] = "the highest accuracy; of equal ones the lowest p50 latency",
    [DV_USE_SPEED] = "the lowest p50 latency, whether its accuracy is known or not",
    [DV_USE_BALANCED] = "the lowest product of error rate and p50 latency: half the errors are "
                        "worth twice the time; error rate: (wrong + 1/2) / (clips + 1)",
    [DV_USE_PRODUCTION] = "the lowest p99 latency of the models whose accuracy's interval reaches "
                          "the highest accuracy",
    [DV_USE_RESEARCH] = "the most accurate single model with attention between frames, whose "
                        "weights can be looked at; where no accuracy is known, the one with the "
                        "most parameters",
    [DV_USE_ENSEMBLE] = "the most accurate ensemble",
};

/* The input of a rule. */
typedef struct choice {
    const dv_model_figures *models;
    size_t count;
    dv_use_case use_case;
    const dv_limits *limits;
    const char *protocol;
    double highest; /* highest accuracy within the limits */
} choice;

double dv_error_rate(const dv_accuracy *accuracy)
{
    return ((double)(accuracy->count - accuracy->correct) + 0.5) / ((double)accuracy->count + 1);
}

static bool knows(const choice *c, const dv_model_figures *model)
{
    return dv_accuracy_known(&model->accuracy) &&
           strcmp(model->accuracy.protocol, c->protocol) == 0;
}

/* The accuracy of a model, or -1 if it is unknown. */
static double accuracy_of(const choice *c, const dv_model_figures *model)
{
    return knows(c, model) ? dv_accuracy_share(&model->accuracy) : -1;
}

/* ---- Rules ---- */

static bool needs_accuracy(dv_use_case use_case)
{
    return use_case != DV_USE_SPEED && use_case != DV_USE_RESEARCH;
}

/* Whether the rule applies to models of this kind. */
static bool is_kind(const choice *c, const dv_model_figures *model)
{
    if (c->use_case == DV_USE_RESEARCH)
        return model->attention > 0 && !model->ensemble;
    return c->use_case != DV_USE_ENSEMBLE || model->ensemble;
}

static bool obeys(const choice *c, const dv_model_figures *model)
{
    if (!is_kind(c, model) || (needs_accuracy(c->use_case) && !knows(c, model)))
        return false;
    return c->use_case != DV_USE_PRODUCTION || model->accuracy.high >= c->highest;
}

/* The cost of a model by the rule; the lowest one wins. */
static double cost(const choice *c, const dv_model_figures *model)
{
    switch (c->use_case) {
    case DV_USE_SPEED:
        return model->p50;
    case DV_USE_BALANCED:
        return model->p50 * dv_error_rate(&model->accuracy);
    case DV_USE_PRODUCTION:
        return model->p99;
    default:
        return -accuracy_of(c, model);
    }
}

static bool is_better(const choice *c, const dv_model_figures *a, const dv_model_figures *b)
{
    double left = cost(c, a), right = cost(c, b);
    if (left < right || left > right)
        return left < right;
    if (c->use_case == DV_USE_RESEARCH && !knows(c, a))
        return a->parameters > b->parameters;
    return a->p50 < b->p50;
}

/* ---- Limits ---- */

/* The factors by which a model exceeds the limits. Up to 1 a limit is met; an unknown accuracy
   never meets one. */
static double excess_latency(const choice *c, const dv_model_figures *model)
{
    return c->limits->latency > 0 ? model->p99 / c->limits->latency : 0;
}

static double excess_bytes(const choice *c, const dv_model_figures *model)
{
    return c->limits->bytes > 0 ? (double)dv_model_figures_size(model) / c->limits->bytes : 0;
}

static double excess_errors(const choice *c, const dv_model_figures *model)
{
    if (!(c->limits->accuracy > 0))
        return 0;
    if (!knows(c, model))
        return INFINITY;
    if (dv_accuracy_share(&model->accuracy) >= c->limits->accuracy)
        return 1;
    double half = 0.5 / ((double)model->accuracy.count + 1);
    return fmax((1 - dv_accuracy_share(&model->accuracy) + half) / (1 - c->limits->accuracy + half),
                1 + 1e-9);
}

static double worst_excess(const choice *c, const dv_model_figures *model)
{
    return fmax(excess_errors(c, model), fmax(excess_latency(c, model), excess_bytes(c, model)));
}

static bool meets(const choice *c, const dv_model_figures *model)
{
    return worst_excess(c, model) <= 1;
}

/* ---- The nearest miss ---- */

static void add_miss(char *miss, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add_miss(char *miss, const char *format, ...)
{
    va_list arguments;
    size_t length = strlen(miss);
    if (length > 0 && length + 2 < DV_MISS_SIZE) {
        memcpy(miss + length, "; ", 3);
        length += 2;
    }
    va_start(arguments, format);
    vsnprintf(miss + length, DV_MISS_SIZE - length, format, arguments);
    va_end(arguments);
}

static void tell_accuracy_miss(const choice *c, const dv_model_figures *model, char *miss)
{
    if (!knows(c, model))
        add_miss(miss, "no accuracy is known%s%s", c->protocol[0] != '\0' ? " by " : "",
                 c->protocol);
    else if (excess_errors(c, model) > 1)
        add_miss(miss, "accuracy %.2f %% instead of at least %.4g %%",
                 100 * dv_accuracy_share(&model->accuracy), 100 * c->limits->accuracy);
}

static void tell_miss(const choice *c, const dv_model_figures *model, char *miss)
{
    char is[DV_SHORT_SIZE], most[DV_SHORT_SIZE];
    if (!is_kind(c, model))
        add_miss(miss, c->use_case == DV_USE_ENSEMBLE ? "it is no ensemble"
                                                      : "it is no single model with attention");
    if (needs_accuracy(c->use_case) || c->limits->accuracy > 0)
        tell_accuracy_miss(c, model, miss);
    if (excess_latency(c, model) > 1)
        add_miss(miss, "p99 %s instead of at most %s", dv_show_seconds(model->p99, is),
                 dv_show_seconds(c->limits->latency, most));
    if (excess_bytes(c, model) > 1)
        add_miss(miss, "%s instead of at most %s", dv_show_bytes(dv_model_figures_size(model), is),
                 dv_show_bytes((int64_t)c->limits->bytes, most));
}

/* Compares two misses: by the kind of model, then by whether a required accuracy is known, then by
   the largest factor by which a limit is missed. */
static bool is_nearer(const choice *c, const dv_model_figures *a, const dv_model_figures *b)
{
    if (is_kind(c, a) != is_kind(c, b))
        return is_kind(c, a);
    bool asked = needs_accuracy(c->use_case) || c->limits->accuracy > 0;
    if (asked && knows(c, a) != knows(c, b))
        return knows(c, a);
    double left = worst_excess(c, a), right = worst_excess(c, b);
    if (!isfinite(left) && !isfinite(right)) {
        left = fmax(excess_latency(c, a), excess_bytes(c, a));
        right = fmax(excess_latency(c, b), excess_bytes(c, b));
    }
    return left < right;
}

/* ---- The answer ---- */

const char *dv_common_protocol(const dv_model_figures *models, size_t count)
{
    const char *best = "";
    size_t most = 0;
    for (size_t i = 0; i < count; i++) {
        const char *protocol = models[i].accuracy.protocol;
        size_t same = 0;
        for (size_t k = 0; k < count; k++)
            same += strcmp(models[k].accuracy.protocol, protocol) == 0;
        if (protocol[0] == '\0' || same <= most)
            continue;
        best = protocol;
        most = same;
    }
    return best;
}

/* The best suitable model other than `but`, or NULL. */
static const dv_model_figures *best_of(const choice *c, const dv_model_figures *but)
{
    const dv_model_figures *best = NULL;
    for (size_t i = 0; i < c->count; i++) {
        const dv_model_figures *model = &c->models[i];
        if (model == but || !obeys(c, model) || !meets(c, model))
            continue;
        if (best == NULL || is_better(c, model, best))
            best = model;
    }
    return best;
}

/* Finds the highest accuracy within the limits first, because the rule of `production` needs it.
   The nearest miss is searched only if no model is suitable. */
void dv_recommend(const dv_model_figures *models, size_t count, dv_use_case use_case,
                  const dv_limits *limits, dv_recommendation *out)
{
    *out = (dv_recommendation){.best = NULL};
    snprintf(out->protocol, sizeof out->protocol, "%s", dv_common_protocol(models, count));
    choice c = {.models = models,
                .count = count,
                .use_case = use_case,
                .limits = limits,
                .protocol = out->protocol};
    for (size_t i = 0; i < count; i++) {
        if (meets(&c, &models[i]))
            c.highest = fmax(c.highest, accuracy_of(&c, &models[i]));
    }
    out->highest = c.highest;
    out->best = best_of(&c, NULL);
    if (out->best != NULL) {
        out->second = best_of(&c, out->best);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (out->nearest == NULL || is_nearer(&c, &models[i], out->nearest))
            out->nearest = &models[i];
    }
    if (out->nearest != NULL)
        tell_miss(&c, out->nearest, out->miss);
}
