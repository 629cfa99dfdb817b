/* Counts and measures the clips of a data set that dv_dataset_look has checked. */
#include "runner/data/data_summary.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int by_number(const void *a, const void *b)
{
    const struct dv_tally_entry *x = a;
    const struct dv_tally_entry *y = b;
    return (x->value > y->value) - (x->value < y->value);
}

static double decibels(double level)
{
    return level > 0 ? fmax(20 * log10(level), DV_DATA_LEAST_DB) : DV_DATA_LEAST_DB;
}

/* Turns `count` values, many of them equal, into a tally. */
static void count_values(dv_tally *tally, size_t count)
{
    qsort(tally->entries, count, sizeof *tally->entries, by_number);
    for (size_t i = 0; i < count; i++) {
        const struct dv_tally_entry *entry = &tally->entries[i];
        if (i == 0 || entry->value != tally->entries[tally->count - 1].value)
            tally->entries[tally->count++] = (struct dv_tally_entry){.value = entry->value};
        tally->entries[tally->count - 1].clips++;
    }
}

/* Collects the facts about each file, and sorts them for the quantiles. */
static dv_status measure(dv_data_summary *s)
{
    size_t count = s->dataset->count;
    DV_TRY(dv_calloc(count, sizeof *s->seconds, &s->seconds));
    DV_TRY(dv_calloc(count, sizeof *s->rms, &s->rms));
    DV_TRY(dv_calloc(count, sizeof *s->peak, &s->peak));
    DV_TRY(dv_calloc(count, sizeof *s->rates.entries, &s->rates.entries));
    DV_TRY(dv_calloc(count, sizeof *s->channels.entries, &s->channels.entries));
    for (size_t i = 0; i < count; i++) {
        const dv_audio_facts *sound = &s->dataset->clips[i].sound;
        s->seconds[i] = (double)sound->frames / (double)sound->sample_rate;
        s->total += s->seconds[i];
        s->rms[i] = decibels(sound->rms);
        s->peak[i] = decibels(sound->peak);
        s->rates.entries[i].value = sound->sample_rate;
        s->channels.entries[i].value = sound->channels;
    }
    qsort(s->seconds, count, sizeof *s->seconds, by_value);
    qsort(s->rms, count, sizeof *s->rms, by_value);
    qsort(s->peak, count, sizeof *s->peak, by_value);
    count_values(&s->rates, count);
    count_values(&s->channels, count);
    return DV_OK;
}

static int by_name(const void *a, const void *b)
{
    const dv_speaker_clips *x = a;
    const dv_speaker_clips *y = b;
    return strcmp(x->name, y->name);
}

static dv_status count_speakers(dv_data_summary *s)
{
    size_t count = 0;
    DV_TRY(dv_calloc(s->dataset->count, sizeof *s->speakers, &s->speakers));
    for (size_t i = 0; i < s->dataset->count; i++) {
        if (s->dataset->clips[i].speaker[0] != '\0')
            s->speakers[count++].name = s->dataset->clips[i].speaker;
    }
    qsort(s->speakers, count, sizeof *s->speakers, by_name);
    for (size_t i = 0; i < count; i++) {
        const char *name = s->speakers[i].name;
        if (i == 0 || strcmp(name, s->speakers[s->speaker_count - 1].name) != 0)
            s->speakers[s->speaker_count++] = (dv_speaker_clips){.name = name};
        s->speakers[s->speaker_count - 1].clips++;
    }
    return DV_OK;
}

static dv_status count_classes(dv_data_summary *s)
{
    DV_TRY(dv_dataset_count(s->dataset, &s->classes));
    for (size_t i = 0; i < s->dataset->label_count * DV_PART_COUNT; i++)
        s->parts[i % DV_PART_COUNT] += s->classes[i];
    return DV_OK;
}

dv_status dv_data_summarize(const dv_data_config *data, const dv_dataset *dataset,
                            const dv_look *look, dv_data_summary *out)
{
    *out = (dv_data_summary){.data = data, .dataset = dataset, .look = look};
    DV_TRY(measure(out));
    DV_TRY(count_classes(out));
    return count_speakers(out);
}

void dv_data_summary_free(dv_data_summary *summary)
{
    free(summary->seconds);
    free(summary->rms);
    free(summary->peak);
    free(summary->rates.entries);
    free(summary->channels.entries);
    free(summary->classes);
    free(summary->speakers);
}

double dv_data_quantile(const dv_data_summary *summary, const double *values, double share)
{
    double rank = ceil(share * (double)summary->dataset->count);
    return values[rank < 1 ? 0 : (size_t)rank - 1];
}

size_t dv_data_class_clips(const dv_data_summary *summary, size_t label)
{
    size_t clips = 0;
    for (size_t part = 0; part < DV_PART_COUNT; part++)
        clips += summary->classes[label * DV_PART_COUNT + part];
    return clips;
}
