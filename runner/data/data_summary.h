/* What is told of a data set: counts, durations, rates, levels, and what was found. */
#ifndef DV_DATA_DATA_SUMMARY_H
#define DV_DATA_DATA_SUMMARY_H

#include "frontends/dataset/look.h"

#include <jansson.h>
#include <stdio.h>

/* How many clips have a value. */
typedef struct dv_tally {
    struct dv_tally_entry {
        int64_t value;
        size_t clips;
    } * entries; /* (count), by value; owned */
    size_t count;
} dv_tally;

typedef struct dv_speaker_clips {
    const char *name; /* borrowed of the data set */
    size_t clips;
} dv_speaker_clips;

typedef struct dv_data_summary {
    const dv_data_config *data; /* all borrowed */
    const dv_dataset *dataset;
    const dv_look *look;
    double *seconds;          /* (clips) ascending; owned, as the rest is */
    double *rms, *peak;       /* (clips) ascending, dB of full scale, DV_DATA_LEAST_DB at least */
    double total;             /* s */
    dv_tally rates, channels; /* Hz; of files */
    size_t *classes;          /* (labels, DV_PART_COUNT) clips */
    size_t parts[DV_PART_COUNT];
    dv_speaker_clips *speakers; /* (speaker_count) in the order of names; of clips that have one */
    size_t speaker_count;
} dv_data_summary;

/* dB, in place of those of nothing. */
#define DV_DATA_LEAST_DB (-120.0)

/* Of data that were looked at, at least one clip. Free with dv_data_summary_free, on failure
   too. */
dv_status dv_data_summarize(const dv_data_config *data, const dv_dataset *dataset,
                            const dv_look *look, dv_data_summary *out);
void dv_data_summary_free(dv_data_summary *summary);

/* The smallest of the ascending values (clips) that a share of them does not exceed. */
double dv_data_quantile(const dv_data_summary *summary, const double *values, double share);

/* Clips of a class, in all parts. */
size_t dv_data_class_clips(const dv_data_summary *summary, size_t label);

/* ---- What is shown of it ---- */

void dv_data_text(const dv_data_summary *summary, FILE *out);

/* A new reference; NULL when out of memory. */
json_t *dv_data_json(const dv_data_summary *summary);

/* A page with pictures, in which clips can be heard where it lies. Replaced whole or not at all. */
dv_status dv_data_html(const dv_data_summary *summary, const char *path);

#endif
