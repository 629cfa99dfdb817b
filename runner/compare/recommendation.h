/*
 * Recommends one of the measured models for a use case. Each use case has a rule over measured
 * numbers (dv_use_case_rules). Rules with accuracy consider only the accuracies of one protocol.
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

extern const char *const dv_use_case_names[]; /* ends with NULL */
extern const char *const dv_use_case_rules[]; /* (DV_USE_CASES), one sentence each */

/* The limits that a model must meet. 0 stands for no limit. */
typedef struct dv_limits {
    double latency;  /* largest p99, s */
    double bytes;    /* largest dv_model_figures_size */
    double accuracy; /* lowest share of correct answers */
} dv_limits;

enum { DV_MISS_SIZE = 512 };

typedef struct dv_recommendation {
    const dv_model_figures *best;    /* NULL if no model is suitable */
    const dv_model_figures *second;  /* best of the other models; NULL if there is none */
    const dv_model_figures *nearest; /* the nearest miss if no model is suitable, else NULL */
    char miss[DV_MISS_SIZE];         /* its shortcomings: "p99 1.52 ms instead of at most 1 ms" */
    double highest;                  /* highest accuracy within the limits; 0 if none is known */
    char protocol[64];               /* protocol of the accuracies; empty if none is known */
} dv_recommendation;

/* Chooses among `count` models, which *out borrows. Only accuracies of one protocol can be
   compared. The protocol that most models report is used; in a tie, the first. */
void dv_recommend(const dv_model_figures *models, size_t count, dv_use_case use_case,
                  const dv_limits *limits, dv_recommendation *out);

/* The error rate (wrong + 1/2) / (clips + 1). Adding half an error keeps a small test set without
   errors from looking perfect. */
double dv_error_rate(const dv_accuracy *accuracy);

/* Prints the answer with its reasons, the runner-up and the commands, as text or as JSON. */
void dv_recommendation_text(const dv_comparison *comparison, dv_use_case use_case,
                            const dv_limits *limits, const dv_recommendation *answer, FILE *out);
void dv_recommendation_json(const dv_comparison *comparison, dv_use_case use_case,
                            const dv_limits *limits, const dv_recommendation *answer, FILE *out);

#endif
