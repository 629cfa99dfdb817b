/* Finds mistakes in parts, classes, speakers and clips, in the order of the kinds. */
#include "frontends/dataset/look.h"
#include "engine/base/text.h"
#include "frontends/audio/audio.h"
#include "frontends/dataset/look_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* -60 dB of full scale, and 1 sample in 1000. */
static const double silent_below = 0.001, clipped_above = 0.001;
static const double dropped_above = 0.2; /* share of an epoch; a little is always left over */

const char *dv_finding_name(dv_finding_kind kind)
{
    static const char *const names[] = {
#define X(name, text) text,
        DV_FINDING_LIST(X)
#undef X
    };
    return names[kind];
}

/* ---- Findings ---- */

dv_status dv__find(const dv__looker *looker, dv_finding_kind kind, size_t count, const char *format,
                   ...)
{
    char text[1024]; /* the length of a line of the log */
    dv_look *look = looker->look;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    DV_TRY(dv_grow(look->count, sizeof *look->findings, &look->capacity, &look->findings));
    dv_finding *finding = &look->findings[look->count];
    *finding = (dv_finding){.kind = kind, .count = count};
    DV_TRY(dv_strdup(text, &finding->text));
    look->count++;
    return DV_OK;
}

void dv__write_names(const char *const *names, size_t count, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < count && i < DV_FINDING_EXAMPLES && used < size; i++) {
        const char *between = i == 0 ? "" : i + 1 == count ? " and " : ", ";
        used += (size_t)snprintf(text + used, size - used, "%s'%s'", between, names[i]);
    }
    if (count > DV_FINDING_EXAMPLES && used < size)
        snprintf(text + used, size - used, " and %zu more", count - DV_FINDING_EXAMPLES);
}

void dv__clip_list_add(dv__clip_list *list, size_t clip)
{
    if (list->count < DV_FINDING_EXAMPLES)
        list->first[list->count] = clip;
    list->count++;
}

void dv__write_clips(const dv__looker *looker, const dv__clip_list *clips,
                     char text[DV__NAMES_SIZE])
{
    const char *names[DV_FINDING_EXAMPLES];
    for (size_t i = 0; i < clips->count && i < DV_FINDING_EXAMPLES; i++)
        names[i] = looker->dataset->clips[clips->first[i]].path;
    dv__write_names(names, clips->count, text, DV__NAMES_SIZE);
}

void dv__set_examples(const dv__looker *looker, const dv__clip_list *clips)
{
    dv_finding *finding = &looker->look->findings[looker->look->count - 1];
    for (size_t i = 0; i < clips->count && i < DV_FINDING_EXAMPLES; i++)
        finding->examples[finding->example_count++] = clips->first[i];
}

/* ---- Files ---- */

static dv_status find_notes(const dv__looker *looker)
{
    for (size_t i = 0; i < looker->dataset->note_count; i++)
        DV_TRY(dv__find(looker, DV_FINDING_NOTE, 1, "%s", looker->dataset->notes[i]));
    return DV_OK;
}

static dv_status find_unreadable(const dv__looker *looker)
{
    size_t count = looker->dataset->skipped;
    if (count == 0)
        return DV_OK;
    return dv__find(looker, DV_FINDING_UNREADABLE, count,
                    "%zu file%s cannot be read and %s left out: %s%s", count, dv_plural(count),
                    count > 1 ? "are" : "is", count > 1 ? "the first, " : "",
                    looker->dataset->problems[0]);
}

/* Finds sounds of kinds that are not read. Other files beside sounds are no mistake. */
static dv_status find_left_out(const dv__looker *looker)
{
    const dv_file_kinds *kinds = &looker->dataset->left_out;
    char text[DV__NAMES_SIZE];
    size_t used = 0, count = 0;
    for (int i = 0; i < kinds->count; i++) {
        const dv_file_kind *kind = &kinds->list[i];
        if (dv_audio_kind(kind->ending) != DV_FOREIGN_SOUND)
            continue;
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%zu %s", count > 0 ? ", " : "",
                                 kind->files, kind->ending);
        count += kind->files;
    }
    if (count == 0)
        return DV_OK;
    return dv__find(looker, DV_FINDING_LEFT_OUT, count,
                    "%zu file%s of a kind that is not read %s left out: %s; ffmpeg -i FILE "
                    "FILE.wav converts one",
                    count, dv_plural(count), count > 1 ? "are" : "is", text);
}

/* ---- Classes and speakers ---- */

/* Finds classes without a clip in `part`. A class without training clips is reported only once. */
static dv_status find_empty(const dv__looker *looker, dv_part part, const size_t *counts)
{
    const dv_dataset *dataset = looker->dataset;
    const char *names[DV_FINDING_EXAMPLES];
    char text[DV__NAMES_SIZE];
    size_t count = 0;
    for (size_t i = 0; i < dataset->label_count; i++) {
        const size_t *of_class = counts + i * DV_PART_COUNT;
        if (of_class[part] > 0 || (part != DV_PART_TRAIN && of_class[DV_PART_TRAIN] == 0))
            continue;
        if (count < DV_FINDING_EXAMPLES)
            names[count] = dataset->labels[i];
        count++;
    }
    if (count == 0)
        return DV_OK;
    dv__write_names(names, count, text, sizeof text);
    return dv__find(looker, part == DV_PART_TRAIN ? DV_FINDING_NOT_TRAINED : DV_FINDING_NOT_TESTED,
                    count, "%zu class%s no clip %s: %s", count, count > 1 ? "es have" : " has",
                    part == DV_PART_TRAIN ? "for training" : "in the test part", text);
}

static dv_status find_empty_classes(const dv__looker *looker)
{
    const dv_dataset *dataset = looker->dataset;
    bool tests = false;
    size_t *counts; /* (labels, parts) */
    DV_TRY(dv_calloc(dataset->label_count * DV_PART_COUNT, sizeof *counts, &counts));
    for (size_t i = 0; i < dataset->count; i++) {
        const dv_clip *clip = &dataset->clips[i];
        counts[clip->label * DV_PART_COUNT + (int)clip->part]++;
        tests = tests || clip->part == DV_PART_TEST;
    }
    dv_status status = find_empty(looker, DV_PART_TRAIN, counts);
    if (status == DV_OK && tests)
        status = find_empty(looker, DV_PART_TEST, counts);
    free(counts);
    return status;
}

static int by_speaker(const void *a, const void *b)
{
    const dv_clip *x = *(const dv_clip *const *)a;
    const dv_clip *y = *(const dv_clip *const *)b;
    return strcmp(x->speaker, y->speaker);
}

/* The number of speakers of the sorted clips (count); 0 if one of them says two words. */
static size_t speakers_of_one_class(const dv_clip *const *clips, size_t count)
{
    size_t speakers = count > 0;
    for (size_t i = 1; i < count; i++) {
        bool same = strcmp(clips[i]->speaker, clips[i - 1]->speaker) == 0;
        if (same && clips[i]->label != clips[i - 1]->label)
            return 0;
        speakers += !same;
    }
    return speakers;
}

/* If every voice says one word, voices can be learned in place of words, or the names of speakers
   are something else. At least two clips per speaker are needed to tell. */
static dv_status find_speaker_is_class(const dv__looker *looker)
{
    const dv_dataset *dataset = looker->dataset;
    const dv_clip **clips;
    size_t count = 0;
    DV_TRY(dv_calloc(dataset->count, sizeof *clips, &clips));
    for (size_t i = 0; i < dataset->count; i++) {
        if (dataset->clips[i].speaker[0] != '\0')
            clips[count++] = &dataset->clips[i];
    }
    qsort(clips, count, sizeof *clips, by_speaker);
    size_t speakers = speakers_of_one_class(clips, count);
    dv_status status = DV_OK;
    if (speakers > 1 && count >= 2 * speakers)
        status = dv__find(looker, DV_FINDING_SPEAKER_IS_CLASS, speakers,
                          "each of the %zu speakers says one class alone, as '%s' says '%s': "
                          "voices can be learned in place of words",
                          speakers, clips[0]->speaker, dataset->labels[clips[0]->label]);
    free(clips);
    return status;
}

/* ---- Clips ---- */

bool dv__is_silent(const dv_clip *clip)
{
    return clip->sound.peak < silent_below;
}

static bool is_clipped(const dv_clip *clip)
{
    return clip->sound.clipped > clipped_above;
}

static double seconds_of(const dv_clip *clip)
{
    const dv_audio_facts *sound = &clip->sound;
    return sound->sample_rate > 0 ? (double)sound->frames / (double)sound->sample_rate : 0;
}

/* Adds one finding for all clips for which `is` holds, if there are any. */
static dv_status find_clips(const dv__looker *looker, dv_finding_kind kind,
                            bool (*is)(const dv_clip *clip), const char *what)
{
    char names[DV__NAMES_SIZE];
    dv__clip_list clips = {0};
    for (size_t i = 0; i < looker->dataset->count; i++) {
        if (is(&looker->dataset->clips[i]))
            dv__clip_list_add(&clips, i);
    }
    if (clips.count == 0)
        return DV_OK;
    dv__write_clips(looker, &clips, names);
    DV_TRY(dv__find(looker, kind, clips.count, "%zu clip%s %s: %s", clips.count,
                    clips.count > 1 ? "s are" : " is", what, names));
    dv__set_examples(looker, &clips);
    return DV_OK;
}

static dv_status find_remarks(const dv__looker *looker)
{
    const dv_dataset *dataset = looker->dataset;
    for (int i = DV_AUDIO_REMARK_COUNT; i-- > 0;) { /* CANCELLED, the last one, comes first */
        const dv_clip *first = NULL;
        size_t count = dv__remarked(dataset, (dv_audio_remark)i, &first);
        if (count == 0)
            continue;
        dv__clip_list clips = {0};
        dv__clip_list_add(&clips, (size_t)(first - dataset->clips));
        DV_TRY(dv__find(looker,
                        i == DV_AUDIO_CANCELLED ? DV_FINDING_CANCELLED : DV_FINDING_NOT_IN_ORDER,
                        count, DV__REMARK_FORMAT, count, dv_plural(count), first->path,
                        dv_audio_remark_text((dv_audio_remark)i)));
        dv__set_examples(looker, &clips);
    }
    return DV_OK;
}

/* The number of clips with a value above `limit`, and the clip with the largest value. */
typedef struct extreme {
    double limit;
    double (*of)(const dv_clip *clip);
    size_t count, most;
    double value; /* the largest value */
} extreme;

static void find_extreme(const dv_dataset *dataset, extreme *found)
{
    for (size_t i = 0; i < dataset->count; i++) {
        double value = found->of(&dataset->clips[i]);
        if (value <= found->limit)
            continue;
        if (found->count++ == 0 || value > found->value) {
            found->value = value;
            found->most = i;
        }
    }
}

static dv_status find_long(const dv__looker *looker)
{
    const dv_look_config *config = looker->config;
    /* One sample more is allowed, since resampling rounds. */
    extreme found = {.limit = config->duration + 1.0 / (double)config->sample_rate,
                     .of = seconds_of};
    find_extreme(looker->dataset, &found);
    if (found.count == 0)
        return DV_OK;
    dv__clip_list clips = {0};
    dv__clip_list_add(&clips, found.most);
    DV_TRY(dv__find(looker, DV_FINDING_LONG, found.count,
                    "%zu clip%s longer than the %g s that the model looks at (features.duration), "
                    "the longest with %.2f s: '%s'",
                    found.count, found.count > 1 ? "s are" : " is", config->duration, found.value,
                    looker->dataset->clips[found.most].path));
    dv__set_examples(looker, &clips);
    return DV_OK;
}

static double rate_of(const dv_clip *clip)
{
    return (double)clip->sound.sample_rate;
}

static double minus_rate_of(const dv_clip *clip)
{
    return -rate_of(clip);
}

/* Finds sample rates above the model's, or with `lower` below it. */
static dv_status find_rates(const dv__looker *looker, bool lower)
{
    double model = (double)looker->config->sample_rate;
    extreme found = {.limit = lower ? -model : model, .of = lower ? minus_rate_of : rate_of};
    find_extreme(looker->dataset, &found);
    if (found.count == 0)
        return DV_OK;
    dv__clip_list clips = {0};
    dv__clip_list_add(&clips, found.most);
    const char *path = looker->dataset->clips[found.most].path;
    const char *have = found.count > 1 ? "s have" : " has";
    DV_TRY(lower
               ? dv__find(looker, DV_FINDING_LOWER_RATE, found.count,
                          "%zu clip%s a sample rate below the model's %g Hz, down to %g Hz ('%s'): "
                          "there is nothing above %g Hz",
                          found.count, have, model, -found.value, path, -found.value / 2)
               : dv__find(looker, DV_FINDING_HIGHER_RATE, found.count,
                          "%zu clip%s a sample rate above the model's %g Hz, up to %g Hz ('%s'): "
                          "what is above %g Hz is not heard",
                          found.count, have, model, found.value, path, model / 2));
    dv__set_examples(looker, &clips);
    return DV_OK;
}

/* ---- Batches ---- */

/* Finds a training part that is smaller than a batch, or a batch size that leaves over more than
   `dropped_above` of an epoch. */
static dv_status find_batches(const dv__looker *looker)
{
    const dv_look_config *config = looker->config;
    size_t clips = 0, batch = (size_t)config->batch_size;
    for (size_t i = 0; i < looker->dataset->count; i++)
        clips += looker->dataset->clips[i].part == DV_PART_TRAIN;
    if (clips == 0)
        return DV_OK;
    if (clips < batch)
        return dv__find(looker, DV_FINDING_BATCH_CUT, clips,
                        "train.batch_size is %zu, and the training part has only %zu clip%s: a "
                        "batch has no more",
                        batch, clips, dv_plural(clips));
    size_t batches = clips / batch, update = (size_t)config->accumulate;
    update = update < batches ? update : batches; /* the trainer does the same */
    size_t dropped = clips - batches / update * update * batch;
    double share = (double)dropped / (double)clips;
    if (share <= dropped_above)
        return DV_OK;
    return dv__find(looker, DV_FINDING_DROPPED, dropped,
                    "%zu of the %zu training clips (%.0f %%), others each time, are not taken in "
                    "an epoch, since they fill no batch of %zu%s: train.batch_size",
                    dropped, clips, 100 * share, batch, update > 1 ? " or no update" : "");
}

/* ---- The look ---- */

/* The calls are in the order of DV_FINDING_LIST. */
dv_status dv_look_find(const dv_dataset *dataset, const dv_look_config *config, dv_look *out)
{
    const dv__looker looker = {dataset, config, out};
    dv_status status;
    *out = (dv_look){0};
    DV_TRY_GOTO(find_notes(&looker));
    DV_TRY_GOTO(find_unreadable(&looker));
    DV_TRY_GOTO(find_left_out(&looker));
    DV_TRY_GOTO(find_empty_classes(&looker));
    DV_TRY_GOTO(dv__find_alike(&looker));
    DV_TRY_GOTO(find_speaker_is_class(&looker));
    DV_TRY_GOTO(dv__find_same(&looker));
    DV_TRY_GOTO(find_clips(&looker, DV_FINDING_SILENT, dv__is_silent, "silent"));
    DV_TRY_GOTO(find_clips(&looker, DV_FINDING_CLIPPED, is_clipped, "clipped"));
    DV_TRY_GOTO(find_remarks(&looker));
    DV_TRY_GOTO(find_long(&looker));
    DV_TRY_GOTO(find_rates(&looker, false));
    DV_TRY_GOTO(find_rates(&looker, true));
    DV_TRY_GOTO(find_batches(&looker));
    return DV_OK;
fail:
    dv_look_free(out);
    return status;
}

dv_status dv_dataset_look(dv_dataset *dataset, const dv_frontend *frontend,
                          const dv_look_config *config, const dv_log *log, dv_look *out)
{
    const dv__loading how = {.sample_rate = config->sample_rate,
                             .max_seconds = config->max_seconds,
                             .frontend = frontend,
                             .contents = true};
    *out = (dv_look){0};
    dv_status status = dv__load(dataset, &how, log);
    if (status == DV_OK)
        return dv_look_find(dataset, config, out);
    dv__log_problems(dataset, 0, log);
    return status;
}

void dv_look_log(const dv_look *look, const dv_dataset *dataset, const dv_log *log)
{
    for (size_t i = 0; i < look->count; i++) {
        const dv_finding *finding = &look->findings[i];
        if (finding->kind == DV_FINDING_UNREADABLE)
            dv__log_problems(dataset, 0, log);
        else
            dv_log_write(log, DV_LOG_WARNING, "%s", finding->text);
    }
}

dv_status dv_look_fail(const dv_look *look)
{
    if (look->count == 0)
        return DV_OK;
    return DV_FAIL(DV_EFORMAT, "%zu finding%s in the data, and with `strict` each is an error",
                   look->count, dv_plural(look->count));
}

void dv_look_free(dv_look *look)
{
    for (size_t i = 0; i < look->count; i++)
        free(look->findings[i].text);
    free(look->findings);
    *look = (dv_look){0};
}
