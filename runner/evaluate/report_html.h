/*
 * The report as a page to be looked at: one file without script and without anything from
 * elsewhere, HTML that is well-formed XML, light or dark as the reader's screen, light on paper.
 */
#ifndef DV_EVALUATE_REPORT_HTML_H
#define DV_EVALUATE_REPORT_HTML_H

#include "frontends/dataset/look.h"
#include "runner/evaluate/noise_curve.h"
#include "runner/experiment/run_folder.h"

/* What the page of a run tells besides its report. All borrowed. */
typedef struct dv_html_run {
    const dv_data_config *data;  /* what the clips were taken from, */
    const dv_look *look;         /* and what was found there */
    const dv_run_folder *folder; /* with metrics.csv */
    const char *device;          /* with which the run can be had again, and not in its */
    int threads;                 /* configuration */
} dv_html_run;

/* report.html in the folder of a run that has ended, with curves from its metrics.csv; of a report
   without clips, these alone. Replaced whole or not at all. */
dv_status dv_report_html_run(const dv_report *report, const dv_html_run *run);

/* The page of an evaluation, without the curves over epochs. All but the mistakes borrowed. */
typedef struct dv_html_eval {
    const dv_report *report;
    const dv_data_config *data;  /* what the clips were taken from */
    const dv_noise_curve *curve; /* without points: there is none */
    const char *const *words;    /* (count) of the command line behind "decavox" */
    size_t count;
    char *mistakes; /* what dv_report_html_begin made; to be freed by the caller */
} dv_html_eval;

/* Makes what shows the sound of the clips, while this is as it was recorded. */
dv_status dv_report_html_begin(dv_html_eval *eval);

/* Writes the page, whole or not at all. */
dv_status dv_report_html_eval(const dv_html_eval *eval, const char *path);

/* ---- Sections, for the page's files ---- */

/* The curves over the epochs of metrics.csv; nothing where it has no row. DV_EIO. */
dv_status dv__html_curves(FILE *out, const char *metrics);

/* The evaluation at each signal-to-noise ratio. */
void dv__html_noise(FILE *out, const dv_noise_curve *curve);

/* What was found in the data, a line each; nothing where nothing was. */
void dv__html_findings(FILE *out, const dv_look *look);

/* The wrong answers of the highest confidence. */
dv_status dv__html_mistakes(FILE *out, const dv_report *report);

/* The front-end of the picture of what a model with front-end `config` saw: log-mel of 40 bands and
   about 64 frames, 60 dB, nothing normalised. */
dv_features_config dv__html_picture_config(const dv_features_config *config);

#endif
