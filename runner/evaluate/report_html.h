/*
 * The report as a page: one file without script and without anything from elsewhere, HTML that is
 * well-formed XML, light or dark as the reader's screen, light on paper.
 */
#ifndef DV_EVALUATE_REPORT_HTML_H
#define DV_EVALUATE_REPORT_HTML_H

#include "frontends/dataset/look.h"
#include "runner/evaluate/noise_curve.h"
#include "runner/evaluate/run_facts.h"

/* Writes report.html in the folder of a run that has ended, with curves from its metrics.csv. A
   report without answered clips leaves these alone, and the facts and the data. `look` is the look
   at the data. The page is replaced whole or not at all. */
dv_status dv_report_html_run(const dv_report *report, const dv_run_facts *facts,
                             const dv_look *look);

/* The page of an evaluation, without the curves over epochs. All but the mistakes are borrowed. */
typedef struct dv_html_eval {
    const dv_report *report;
    const dv_data_config *data;  /* configuration of the data that the clips are from */
    const dv_noise_curve *curve; /* a curve without points stands for none */
    const char *const *words;    /* (count) of the command line behind "decavox" */
    size_t count;
    char *mistakes; /* section that dv_report_html_begin made; to be freed by the caller */
} dv_html_eval;

/* Makes the section that shows the sound of the clips, while they are as they were recorded. */
dv_status dv_report_html_begin(dv_html_eval *eval);

/* Writes the page, whole or not at all. */
dv_status dv_report_html_eval(const dv_html_eval *eval, const char *path);

/* ---- Sections, for the page's files ---- */

/* The curves over the epochs of metrics.csv, and the best epoch. A file without a row leaves
   nothing. DV_EIO. */
dv_status dv__html_curves(FILE *out, const char *metrics, const dv_run_facts *facts);

/* The evaluation at each signal-to-noise ratio. */
dv_status dv__html_noise(FILE *out, const dv_noise_curve *curve);

/* The findings in the data, a line each. Data without a finding leave nothing. */
void dv__html_findings(FILE *out, const dv_look *look);

/* The reliability diagram, with the expected calibration error. */
void dv__html_calibration(FILE *out, const dv_calibration *calibration);

/* Precision, recall and F1 of each class, and their means. */
void dv__html_classes(FILE *out, const dv_report *report);

/* The clips of each class and part, and the clips and files that were left out. */
dv_status dv__html_data(FILE *out, const dv_dataset *dataset);

/* The wrong answers of the highest confidence, to be seen and heard. */
dv_status dv__html_mistakes(FILE *out, const dv_report *report);

/* The front-end of the picture of the window that a model with front-end `config` saw: log-mel of
   40 bands and about 64 frames, 60 dB, nothing normalised. */
dv_features_config dv__html_picture_config(const dv_features_config *config);

#endif
