/* Lists and reads recorded noises, chooses a stretch for each clip, and adds it. */
#include "frontends/noise/noise.h"
#include "engine/base/hash.h"
#include "engine/base/path.h"
#include "engine/base/rng.h"
#include "engine/base/text.h"
#include "frontends/audio/sound_folder.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const double silence = 1e-6; /* a sound with an RMS below this is silent */

/* ---- Listing ---- */

typedef struct file_list {
    char **files; /* (count), owned */
    size_t count, capacity;
} file_list;

/* Adds "folder/name", or `name` alone if `folder` is "". */
static dv_status list_file(file_list *list, const char *folder, const char *name)
{
    DV_TRY(dv_grow(list->count, sizeof *list->files, &list->capacity, &list->files));
    DV_TRY(dv_join(folder, name, &list->files[list->count]));
    list->count++;
    return DV_OK;
}

static dv_status list_folder(file_list *list, const char *path)
{
    dv_sound_folder found = {0};
    dv_status status = dv_sound_folder_read(path, &found);
    if (status == DV_OK && found.sound_count == 0)
        status = DV_FAIL(DV_EIO, "%s: the folder holds no sound file", path);
    for (size_t i = 0; status == DV_OK && i < found.sound_count; i++)
        status = list_file(list, path, found.sounds[i]);
    dv_sound_folder_free(&found);
    return status;
}

static dv_status list_path(void *user, char *path)
{
    file_list *list = user;
    struct stat info;
    if (path[0] == '\0')
        return DV_FAIL(DV_EARG, "one of the paths is empty");
    if (stat(path, &info) != 0)
        return DV_FAIL(DV_EIO, "%s: cannot be read: %s", path, strerror(errno));
    return S_ISDIR(info.st_mode) ? list_folder(list, path) : list_file(list, "", path);
}

dv_status dv_noise_list(const char *paths, char ***files, size_t *count)
{
    file_list list = {0};
    *files = NULL;
    *count = 0;
    dv_status status = dv_each_item(paths, list_path, &list);
    if (status != DV_OK) {
        dv_noise_unlist(list.files, list.count);
        return status == DV_EARG ? dv_fail_within(status, "'%s'", paths) : status;
    }
    *files = list.files;
    *count = list.count;
    return DV_OK;
}

void dv_noise_unlist(char **files, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(files[i]);
    free(files);
}

/* ---- Reading ---- */

static dv_status read_all(char **paths, size_t count, int64_t sample_rate, dv_noise_files *out)
{
    int64_t total = 0;
    DV_TRY(dv_calloc(count, sizeof *out->items, &out->items));
    for (; out->count < count; out->count++) {
        dv_noise_file *noise = &out->items[out->count];
        DV_TRY(dv_audio_read(paths[out->count], sample_rate, DV_NOISE_MAX_SECONDS, NULL,
                             &noise->audio));
        noise->path = paths[out->count];
        paths[out->count] = NULL;
        total += noise->audio.count;
        if (total > DV_NOISE_MAX_SAMPLES) {
            out->count++;
            return DV_FAIL(DV_EFORMAT, "the noises have more than %d samples together, from %s on",
                           DV_NOISE_MAX_SAMPLES, noise->path);
        }
    }
    return DV_OK;
}

dv_status dv_noise_files_read(const char *paths, int64_t sample_rate, dv_noise_files *out)
{
    char **list;
    size_t count;
    *out = (dv_noise_files){0};
    DV_TRY(dv_noise_list(paths, &list, &count));
    dv_status status = read_all(list, count, sample_rate, out);
    dv_noise_unlist(list, count);
    if (status != DV_OK)
        dv_noise_files_free(out);
    return status;
}

void dv_noise_files_free(dv_noise_files *files)
{
    for (size_t i = 0; i < files->count; i++) {
        free(files->items[i].path);
        dv_audio_free(&files->items[i].audio);
    }
    free(files->items);
    *files = (dv_noise_files){0};
}

/* ---- The noise and the stretch of a clip ---- */

uint64_t dv_noise_key(const char *label, const char *path)
{
    const char *slash = strrchr(path, '/');
    uint64_t value = dv_hash(dv_hash(DV_HASH_EMPTY, label), "/");
    return dv_hash(value, slash != NULL ? slash + 1 : path);
}

/* The two random numbers of a clip: one for its place among the others, one for its stretch. */
typedef enum draw { DRAW_ORDER, DRAW_START } draw;

static uint64_t draw_for(uint64_t seed, uint64_t key, draw what)
{
    uint32_t words[4];
    dv_rng rng = {.seed = seed, .use = DV_RNG_MIX, .step = key};
    dv_rng_words(&rng, (uint32_t)what, words);
    return ((uint64_t)words[0] << 32) | words[1];
}

typedef struct turn {
    uint64_t order;
    size_t clip;
} turn;

static int by_order(const void *a, const void *b)
{
    const turn *x = a, *y = b;
    if (x->order != y->order)
        return x->order < y->order ? -1 : 1;
    return x->clip < y->clip ? -1 : 1;
}

dv_status dv_noise_share(uint64_t seed, const uint64_t *keys, size_t count, size_t files,
                         size_t *which)
{
    turn *turns;
    DV_TRY(dv_calloc(count, sizeof *turns, &turns));
    for (size_t i = 0; i < count; i++)
        turns[i] = (turn){.order = draw_for(seed, keys[i], DRAW_ORDER), .clip = i};
    qsort(turns, count, sizeof *turns, by_order);
    for (size_t i = 0; i < count; i++)
        which[turns[i].clip] = i % files;
    free(turns);
    return DV_OK;
}

int64_t dv_noise_start(const dv_noise_file *noise, uint64_t seed, uint64_t key, int64_t count)
{
    int64_t length = noise->audio.count;
    int64_t starts = length < count ? length : length - count + 1;
    return (int64_t)(draw_for(seed, key, DRAW_START) % (uint64_t)starts);
}

/* ---- Mixing ---- */

/* The RMS of `count` samples from `start` on, in samples (length) that repeat. */
static double rms(const float *samples, int64_t length, int64_t start, int64_t count)
{
    double energy = 0;
    for (int64_t i = 0, k = start; i < count; i++) {
        energy += (double)samples[k] * (double)samples[k];
        k = k + 1 < length ? k + 1 : 0;
    }
    return sqrt(energy / (double)count);
}

void dv_noise_add(const dv_noise_file *noise, uint64_t seed, uint64_t key, double snr,
                  float *samples, int64_t count)
{
    const float *sound = noise->audio.samples;
    int64_t length = noise->audio.count;
    int64_t start = dv_noise_start(noise, seed, key, count);
    double of_clip = rms(samples, count, 0, count);
    double of_noise = rms(sound, length, start, count);
    if (of_clip < silence || of_noise < silence)
        return;
    double gain = of_clip / of_noise * pow(10, -snr / 20);
    for (int64_t i = 0, k = start; i < count; i++) {
        samples[i] = (float)((double)samples[i] + gain * (double)sound[k]);
        k = k + 1 < length ? k + 1 : 0;
    }
}
