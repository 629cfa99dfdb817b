/* The summary of a data set: counts, durations, rates, levels and faults. */
#ifndef DV_DATA_DATA_SUMMARY_H
#define DV_DATA_DATA_SUMMARY_H

#include "frontends/dataset/look.h"

#include <jansson.h>
#include <stdio.h>

/* The number of clips for each value. */
typedef struct dv_tally {
    struct dv_tally_entry {
        int64_t value;
        size_t clips;
    } * entries; /* (count), sorted by value; owned */
    size_t count;
} dv_tally;

typedef struct dv_speaker_clips {
    const char *name; /* borrowed from the data set */
    size_t clips;
} dv_speaker_clips;

typedef struct dv_data_summary {
    const dv_data_config *data; /* this and the next two are borrowed, all others are owned */
    const dv_dataset *dataset;
    const dv_look *look;
    double *seconds;          /* (clips) ascending */
    double *rms, *peak;       /* (clips) ascending, dB of full scale, at least DV_DATA_LEAST_DB */
    double total;             /* s */
    dv_tally rates, channels; /* sample rates in Hz and numbers of channels of the files */
    size_t *classes;          /* (labels, DV_PART_COUNT) clips */
    size_t parts[DV_PART_COUNT];
    dv_speaker_clips *speakers; /* (speaker_count) sorted by name; clips without one are omitted */
    size_t speaker_count;
} dv_data_summary;

/* The level of silence in dB. */
#define DV_DATA_LEAST_DB (-120.0)

/* Summarises data that dv_dataset_look has checked, with at least one clip. Free *out with
   dv_data_summary_free, also after a failure. */
dv_status dv_data_summarize(const dv_data_config *data, const dv_dataset *dataset,
                            const dv_look *look, dv_data_summary *out);
void dv_data_summary_free(dv_data_summary *summary);

/* The smallest of the ascending values (clips) that the given share of them does not exceed. */
double dv_data_quantile(const dv_data_summary *summary, const double *values, double share);

/* The number of clips of a class in all parts. */
size_t dv_data_class_clips(const dv_data_summary *summary, size_t label);

/* ---- Output ---- */

void dv_data_text(const dv_data_summary *summary, FILE *out);

/* Returns a new reference, or NULL if memory runs out. */
json_t *dv_data_json(const dv_data_summary *summary);

/* Writes a page with pictures, and with clips that it plays while it stays in its folder. The file
   is replaced completely or not at all. */
dv_status dv_data_html(const dv_data_summary *summary, const char *path);

#endif
