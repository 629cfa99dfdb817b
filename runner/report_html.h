/*
 * The report as a page to be looked at: one file without script and without anything from
 * elsewhere, HTML that is well-formed XML, light or dark as the reader's screen, light on paper.
 */
#ifndef DV_RUNNER_REPORT_HTML_H
#define DV_RUNNER_REPORT_HTML_H

#include "runner/report.h"
#include "runner/run_folder.h"

/* report.html in the folder of a run that has ended, with curves from its metrics.csv; of a report
   without clips, these alone. `data`: what the clips were taken from. `device` and `threads`: that
   the run can be had with again, which are not in its configuration. Replaced whole or not at all.
 */
dv_status dv_report_html_run(const dv_report *report, const dv_data_config *data,
                             const dv_run_folder *folder, const char *device, int threads);

/* The same without the curves, as `path`. */
dv_status dv_report_html_eval(const dv_report *report, const dv_data_config *data,
                              const char *path);

/* ---- Sections, for the page's files ---- */

/* The page's style sheet. */
extern const char dv__html_style[];

/* The curves over the epochs of metrics.csv; nothing where it has no row. DV_EIO. */
dv_status dv__html_curves(FILE *out, const char *metrics);

/* The wrong answers of the highest confidence. */
dv_status dv__html_mistakes(FILE *out, const dv_report *report);

/* The front-end of the picture of what a model with front-end `config` saw: log-mel of 40 bands and
   about 64 frames, 60 dB, nothing normalised. */
dv_features_config dv__html_picture_config(const dv_features_config *config);

#endif
