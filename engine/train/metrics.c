/* Counts answers by class, and computes shares, intervals, probabilities, losses and
   calibration. */
#include "engine/train/metrics.h"

#include <math.h>
#include <stdlib.h>

dv_status dv_confusion_create(int64_t classes, dv_confusion *out)
{
    out->classes = classes;
    return dv_calloc((size_t)(classes * classes), sizeof *out->counts, &out->counts);
}

void dv_confusion_free(dv_confusion *confusion)
{
    free(confusion->counts);
    confusion->counts = NULL;
}

void dv_confusion_add(dv_confusion *confusion, int64_t truth, int64_t predicted)
{
    confusion->counts[truth * confusion->classes + predicted]++;
}

int64_t dv_confusion_total(const dv_confusion *confusion)
{
    int64_t total = 0;
    for (int64_t i = 0; i < confusion->classes * confusion->classes; i++)
        total += confusion->counts[i];
    return total;
}

int64_t dv_confusion_correct(const dv_confusion *confusion)
{
    int64_t correct = 0;
    for (int64_t i = 0; i < confusion->classes; i++)
        correct += confusion->counts[i * confusion->classes + i];
    return correct;
}

/* The sum of `classes` elements from `start` on, `step` apart. */
static int64_t sum_of(const dv_confusion *confusion, int64_t start, int64_t step)
{
    int64_t sum = 0;
    for (int64_t i = 0; i < confusion->classes; i++)
        sum += confusion->counts[start + i * step];
    return sum;
}

int64_t dv_confusion_clips(const dv_confusion *confusion, int64_t class)
{
    return sum_of(confusion, class * confusion->classes, 1);
}

int64_t dv_confusion_answers(const dv_confusion *confusion, int64_t class)
{
    return sum_of(confusion, class, confusion->classes);
}

/* The right answers of the class over `sum`. */
static double hits_over(const dv_confusion *confusion, int64_t class, int64_t sum)
{
    int64_t hits = confusion->counts[class * confusion->classes + class];
    return sum > 0 ? (double)hits / (double)sum : NAN;
}

double dv_confusion_precision(const dv_confusion *confusion, int64_t class)
{
    return hits_over(confusion, class, dv_confusion_answers(confusion, class));
}

double dv_confusion_recall(const dv_confusion *confusion, int64_t class)
{
    return hits_over(confusion, class, dv_confusion_clips(confusion, class));
}

double dv_confusion_f1(const dv_confusion *confusion, int64_t class)
{
    return 2 *
           hits_over(confusion, class,
                     dv_confusion_clips(confusion, class) + dv_confusion_answers(confusion, class));
}

dv_macro_means dv_confusion_macro(const dv_confusion *confusion)
{
    dv_macro_means sum = {0, 0, 0};
    int64_t classes = 0;
    for (int64_t k = 0; k < confusion->classes; k++) {
        if (dv_confusion_clips(confusion, k) == 0)
            continue;
        double precision = dv_confusion_precision(confusion, k);
        sum.precision += isnan(precision) ? 0 : precision;
        sum.recall += dv_confusion_recall(confusion, k);
        sum.f1 += dv_confusion_f1(confusion, k);
        classes++;
    }
    double count = classes > 0 ? (double)classes : NAN;
    return (dv_macro_means){sum.precision / count, sum.recall / count, sum.f1 / count};
}

void dv_wilson_interval(int64_t correct, int64_t total, double *low, double *high)
{
    dv_wilson_share(total > 0 ? (double)correct / (double)total : 0, total, low, high);
}

void dv_wilson_share(double share, int64_t total, double *low, double *high)
{
    static const double z = 1.959963984540054; /* normal quantile of 97.5 % */
    *low = 0;
    *high = 1;
    if (total == 0)
        return;
    double n = (double)total, p = share;
    double middle = (p + z * z / (2 * n)) / (1 + z * z / n);
    double half = z / (1 + z * z / n) * sqrt(p * (1 - p) / n + z * z / (4 * n * n));
    *low = fmax(0, middle - half);
    *high = fmin(1, middle + half);
}

int64_t dv_argmax(const float *values, int64_t count)
{
    int64_t best = 0;
    for (int64_t i = 1; i < count; i++) {
        if (values[i] > values[best])
            best = i;
    }
    return best;
}

void dv_softmax(const float *logits, int64_t count, double *probabilities)
{
    double largest = (double)logits[dv_argmax(logits, count)], sum = 0;
    for (int64_t i = 0; i < count; i++) {
        probabilities[i] = exp((double)logits[i] - largest);
        sum += probabilities[i];
    }
    for (int64_t i = 0; i < count; i++)
        probabilities[i] /= sum;
}

double dv_confidence(const float *logits, int64_t count)
{
    double largest = (double)logits[dv_argmax(logits, count)], sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += exp((double)logits[i] - largest);
    return 1 / sum;
}

double dv_cross_entropy(const float *logits, int64_t count, int64_t truth)
{
    double largest = (double)logits[dv_argmax(logits, count)], sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += exp((double)logits[i] - largest);
    return log(sum) + largest - (double)logits[truth];
}

double dv_calibration_edge(int bin)
{
    return (double)bin / DV_CALIBRATION_BINS;
}

void dv_calibration_add(dv_calibration *calibration, double confidence, bool correct)
{
    int m = 0;
    while (m < DV_CALIBRATION_BINS - 1 && confidence > dv_calibration_edge(m + 1))
        m++;
    dv_calibration_bin *bin = &calibration->bins[m];
    bin->count++;
    bin->correct += correct;
    bin->confidence += confidence;
}

double dv_calibration_error(const dv_calibration *calibration)
{
    double gaps = 0; /* sum of n_m |accuracy_m - confidence_m| = |correct - sum of confidences| */
    int64_t total = 0;
    for (int m = 0; m < DV_CALIBRATION_BINS; m++) {
        const dv_calibration_bin *bin = &calibration->bins[m];
        gaps += fabs((double)bin->correct - bin->confidence);
        total += bin->count;
    }
    return total > 0 ? gaps / (double)total : 0;
}
