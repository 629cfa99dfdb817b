/*
 * Which of the measured models to take for a purpose. Each purpose is a rule over measured numbers,
 * dv_use_case_rules; a rule that asks for accuracy knows that of the cards alone, by one protocol.
 */
#ifndef DV_COMPARE_RECOMMENDATION_H
#define DV_COMPARE_RECOMMENDATION_H

#include "runner/compare/comparison.h"

typedef enum dv_use_case {
    DV_USE_ACCURACY,
    DV_USE_SPEED,
    DV_USE_BALANCED,
    DV_USE_PRODUCTION,
    DV_USE_RESEARCH,
    DV_USE_ENSEMBLE,
    DV_USE_CASES
} dv_use_case;

#define DV_USE_CASE_NAMES "accuracy", "speed", "balanced", "production", "research", "ensemble"

extern const char *const dv_use_case_names[]; /* ended by NULL */
extern const char *const dv_use_case_rules[]; /* (DV_USE_CASES), a sentence each */

/* What a model must meet; 0: anything goes. */
typedef struct dv_limits {
    double latency;  /* s, the most for p99 */
    double bytes;    /* the most for dv_model_figures_size */
    double accuracy; /* the least share of clips that are right */
} dv_limits;

enum { DV_MISS_SIZE = 512 };

typedef struct dv_recommendation {
    const dv_model_figures *best;   /* NULL: no model will do */
    const dv_model_figures *second; /* the best of the others; NULL: there is none */
    const dv_model_figures
        *nearest;            /* where no model will do: what is nearest to it; NULL: no models */
    char miss[DV_MISS_SIZE]; /* what that lacks: "p99 1.52 ms instead of at most 1 ms" */
    double highest;          /* accuracy of those within the limits; 0: none is known */
    char protocol[64];       /* by which the accuracies are; "": none is known */
} dv_recommendation;

/* models (count), borrowed by *out. Accuracies by different protocols cannot be compared: that
   counts which most models have, the first of them where several do. */
void dv_recommend(const dv_model_figures *models, size_t count, dv_use_case use_case,
                  const dv_limits *limits, dv_recommendation *out);

/* Wrong answers by the number of clips, (wrong + 1/2) / (clips + 1): that none of a few was wrong
   is not that none will be. */
double dv_error_rate(const dv_accuracy *accuracy);

/* Prints the answer with its reasons, the runner-up and the commands, as text or as JSON. */
void dv_recommendation_text(const dv_comparison *comparison, dv_use_case use_case,
                            const dv_limits *limits, const dv_recommendation *answer, FILE *out);
void dv_recommendation_json(const dv_comparison *comparison, dv_use_case use_case,
                            const dv_limits *limits, const dv_recommendation *answer, FILE *out);

#endif
