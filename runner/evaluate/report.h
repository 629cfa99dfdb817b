/* The result of an evaluation: accuracy with its interval, figures of each class, the confusion
   matrix. */
#ifndef DV_EVALUATE_REPORT_H
#define DV_EVALUATE_REPORT_H

#include "engine/train/metrics.h"
#include "frontends/model/session.h"

#include <jansson.h>
#include <stdio.h>

typedef struct dv_report {
    const dv_model *model;     /* borrowed */
    const dv_dataset *dataset; /* all clips, borrowed */
    dv_part part;              /* DV_PART_COUNT stands for all parts */
    const char *split;   /* name of the split, borrowed; NULL stands for one that is not told */
    const char **labels; /* (classes) borrowed texts, owned array */
    dv_confusion confusion;
    int64_t count;
    const dv_clip **clips; /* (count) borrowed clips, owned array */
    int *truth;            /* (count) class of the checkpoint */
    float *logits;         /* (count, classes) */
    double loss;           /* mean cross-entropy */
    dv_calibration calibration;
    char test_set[17]; /* mark of the clips, by their names, words, speakers, parts and sizes as
                          files, which are the same where the data lie in another folder */
    size_t skipped;    /* unreadable files of the data set */
    size_t missing;    /* unreadable files of the part: the accuracy is without them */
} dv_report;

/* "train", "validation", "test" and, at DV_PART_COUNT, "all"; ended by NULL. */
extern const char *const dv_report_parts[];

/* Answers all clips of `part`, or of every part with DV_PART_COUNT. `threads` is 0 for as many as
   there are physical cores. The caller sets `split`. `model` and `dataset` must outlive the report.
   DV_EFORMAT: there is no clip in the part, or a label that the checkpoint does not know, named. */
dv_status dv_report_make(dv_model *model, int threads, const dv_dataset *dataset, dv_part part,
                         dv_report *out);
void dv_report_free(dv_report *report);

void dv_report_text(const dv_report *report, FILE *out);

/* Prints precision and recall of each class and then the matrix as a table. labels (classes). */
void dv_confusion_text(const dv_confusion *confusion, const char *const *labels, FILE *out);

/* The same for JSON: a list of {label, precision, recall, f1}, the means {precision, recall, f1}
   over the classes, and a list of rows. All are new references. */
json_t *dv_classes_json(const dv_confusion *confusion, const char *const *labels);
json_t *dv_macro_json(const dv_confusion *confusion);
json_t *dv_confusion_json(const dv_confusion *confusion);

/* {ece, bins: a list of {low, high, count, confidence, accuracy}}, both means 0 in a bin without
   answers. A new reference. */
json_t *dv_calibration_json(const dv_calibration *calibration);

/* The report, with the answer to every clip where `clips` is set. A new reference; NULL when out of
   memory. Where the split is told, part, mark, clips of each part and clips that were left out are
   in it: an accuracy by which an epoch was chosen is none of a test. */
json_t *dv_report_json(const dv_report *report, bool clips);

/* The confusion matrix as CSV: a row per true class. Replaced whole or not at all. */
dv_status dv_report_confusion_csv(const dv_report *report, const char *path);

/* Label, probabilities and logits of one answer, for JSON, and its file unless `file` is NULL. A
   new reference; NULL when out of memory. */
json_t *dv_answer_json(const dv_model *model, const char *file, const float *logits);

#endif
