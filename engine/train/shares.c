/* Fits the shares of an ensemble by gradient descent, in double. */
#include "engine/train/shares.h"

#include <math.h>
#include <stdlib.h>

enum { MOST_STEPS = 2000 };
static const double enough = 1e-9; /* largest element of the gradient at the end */
static const double prior = 0.01;  /* weight of the second term, in clips */

/* Mixes the members' logits for a clip into mixed (classes). Floats would be too coarse for the
   descent. */
static void mix(const dv_shares_answers *answers, const double *share, int64_t clip, double *mixed)
{
    for (int64_t c = 0; c < answers->classes; c++) {
        mixed[c] = 0;
        for (int k = 0; k < answers->members; k++)
            mixed[c] += share[k] * (double)answers->logits[k][clip * answers->classes + c];
    }
}

/* Computes the probabilities of logits (count). */
static void softmax(const double *logits, int64_t count, double *probability)
{
    double largest = logits[0], sum = 0;
    for (int64_t k = 1; k < count; k++)
        largest = fmax(largest, logits[k]);
    for (int64_t k = 0; k < count; k++)
        sum += probability[k] = exp(logits[k] - largest);
    for (int64_t k = 0; k < count; k++)
        probability[k] /= sum;
}

/* log(sum of exp(logits)) - logits[truth]. */
static double cross_entropy(const double *logits, int64_t count, int truth)
{
    double largest = logits[0], sum = 0;
    for (int64_t k = 1; k < count; k++)
        largest = fmax(largest, logits[k]);
    for (int64_t k = 0; k < count; k++)
        sum += exp(logits[k] - largest);
    return log(sum) + largest - logits[truth];
}

dv_status dv_shares_measure(const dv_shares_answers *answers, const double *share, double *loss,
                            int64_t *correct)
{
    double *mixed; /* (classes) */
    DV_TRY(dv_calloc((size_t)answers->classes, sizeof *mixed, &mixed));
    *loss = 0;
    *correct = 0;
    for (int64_t i = 0; i < answers->count; i++) {
        int best = 0;
        mix(answers, share, i, mixed);
        for (int c = 1; c < answers->classes; c++)
            best = mixed[c] > mixed[best] ? c : best;
        *loss += cross_entropy(mixed, answers->classes, answers->truth[i]) / (double)answers->count;
        *correct += best == answers->truth[i];
    }
    free(mixed);
    return DV_OK;
}

/* Returns the minimised function at w, and writes its gradient (members). mixed (classes) is
   scratch. */
static double evaluate(const dv_shares_answers *answers, const double *w, double *mixed,
                       double *gradient)
{
    double share[DV_MAX_INPUTS], of_share[DV_MAX_INPUTS] = {0}, value = 0, mean = 0;
    int members = answers->members;
    softmax(w, members, share);
    for (int64_t i = 0; i < answers->count; i++) {
        int truth = answers->truth[i];
        mix(answers, share, i, mixed);
        value += cross_entropy(mixed, answers->classes, truth);
        softmax(mixed, answers->classes, mixed);
        for (int k = 0; k < members; k++) {
            const float *logits = answers->logits[k] + i * answers->classes;
            of_share[k] -= (double)logits[truth];
            for (int64_t c = 0; c < answers->classes; c++)
                of_share[k] += mixed[c] * (double)logits[c];
        }
    }
    for (int k = 0; k < members; k++) {
        value -= prior * log(share[k]);
        of_share[k] -= prior / share[k];
        mean += share[k] * of_share[k];
    }
    for (int k = 0; k < members; k++)
        gradient[k] = share[k] * (of_share[k] - mean) / (double)answers->count;
    return value / (double)answers->count;
}

/* Gradient descent with Armijo's rule: a step that fails is halved, and the next one after a
   success is doubled. */
static void descend(const dv_shares_answers *answers, double *w, double *mixed)
{
    double gradient[DV_MAX_INPUTS], next[DV_MAX_INPUTS], there[DV_MAX_INPUTS], step = 1;
    int members = answers->members;
    double value = evaluate(answers, w, mixed, gradient);
    for (int i = 0; i < MOST_STEPS && step > 1e-12; i++) {
        double square = 0, largest = 0;
        for (int k = 0; k < members; k++) {
            next[k] = w[k] - step * gradient[k];
            square += gradient[k] * gradient[k];
            largest = fmax(largest, fabs(gradient[k]));
        }
        if (largest < enough)
            break;
        double below = evaluate(answers, next, mixed, there);
        if (!(below <= value - 0.25 * step * square)) {
            step /= 2;
            continue;
        }
        value = below;
        for (int k = 0; k < members; k++) {
            w[k] = next[k];
            gradient[k] = there[k];
        }
        step *= 2;
    }
}

dv_status dv_shares_fit(const dv_shares_answers *answers, double *share)
{
    double w[DV_MAX_INPUTS] = {0}, *mixed;
    DV_TRY(dv_calloc((size_t)answers->classes, sizeof *mixed, &mixed));
    descend(answers, w, mixed);
    softmax(w, answers->members, share);
    free(mixed);
    return DV_OK;
}
