/* Finds clips of the same file under different names, and computes fingerprints of data. */
#include "engine/base/sha256.h"
#include "frontends/dataset/dataset_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

const char *const dv__part_names[DV_PART_COUNT] = {"training", "validation", "test"};

/* A clip as a stretch of a file. */
typedef struct file_id {
    dev_t device;
    ino_t inode;
    double start, end; /* s; 0 and infinity for the whole file */
    size_t clip;
} file_id;

static int by_file(const file_id *x, const file_id *y)
{
    if (x->device != y->device)
        return x->device < y->device ? -1 : 1;
    return (x->inode > y->inode) - (x->inode < y->inode);
}

/* Orders by file, whole files before their stretches. */
static int by_stretch(const void *a, const void *b)
{
    const file_id *x = a;
    const file_id *y = b;
    int order = by_file(x, y);
    if (order != 0)
        return order;
    if (isinf(x->end) != isinf(y->end))
        return isinf(x->end) ? -1 : 1;
    return (x->start > y->start) - (x->start < y->start);
}

/* Whether both have a moment of one file in common. */
static bool overlap(const file_id *a, const file_id *b)
{
    return by_file(a, b) == 0 && a->start < b->end && b->start < a->end;
}

/* Lists the files of the clips in order. The caller owns *files (*count). Missing files are left
   out; dv_dataset_load reports them. */
static dv_status list_files(const dv_dataset *dataset, file_id **files, size_t *count)
{
    *count = 0;
    DV_TRY(dv_calloc(dataset->count, sizeof **files, files));
    for (size_t i = 0; i < dataset->count; i++) {
        const dv_clip *clip = &dataset->clips[i];
        struct stat info;
        double end = clip->length > 0 ? clip->start + clip->length : (double)INFINITY;
        if (stat(clip->path, &info) == 0)
            (*files)[(*count)++] = (file_id){info.st_dev, info.st_ino, clip->start, end, i};
    }
    qsort(*files, *count, sizeof **files, by_stretch);
    return DV_OK;
}

/* All stretches are equally long. So if any overlap and are in two parts, two neighbours do. A
   whole file comes before its stretches. */
dv_status dv__check_parts(const dv_dataset *dataset)
{
    file_id *files;
    size_t count, first = 0;
    DV_TRY(list_files(dataset, &files, &count));
    dv_status status = DV_OK;
    for (size_t i = 1; i < count && status == DV_OK; i++) {
        first = by_file(&files[first], &files[i]) == 0 ? first : i;
        size_t other = overlap(&files[first], &files[i]) ? first : i - 1;
        const dv_clip *a = &dataset->clips[files[other].clip];
        const dv_clip *b = &dataset->clips[files[i].clip];
        if (overlap(&files[other], &files[i]) && a->part != b->part)
            status = DV_FAIL(DV_ECONFIG,
                             "data: one file is in the %s part as '%s' and in the %s part as '%s'",
                             dv__part_names[a->part], a->path, dv__part_names[b->part], b->path);
    }
    free(files);
    return status;
}

/* Whether the clip `mine` has a moment of a clip of the test or validation part of `other`, whose
   files of the same name begin with `theirs` (count). */
static bool is_tested(const file_id *mine, const dv_dataset *other, const file_id *theirs,
                      size_t count)
{
    for (size_t k = 0; k < count && by_file(&theirs[k], mine) == 0; k++) {
        if (overlap(&theirs[k], mine) && other->clips[theirs[k].clip].part != DV_PART_TRAIN)
            return true;
    }
    return false;
}

/* Marks the clips that have a moment of a file in the test or validation part of `other`. The
   caller owns *tested (dataset->count). */
static dv_status find_tested(const dv_dataset *dataset, const dv_dataset *other, bool **tested)
{
    dv_status status;
    file_id *mine = NULL, *theirs = NULL;
    size_t mine_count, their_count;
    *tested = NULL;
    DV_TRY_GOTO(list_files(dataset, &mine, &mine_count));
    DV_TRY_GOTO(list_files(other, &theirs, &their_count));
    DV_TRY_GOTO(dv_calloc(dataset->count, sizeof **tested, tested));
    for (size_t i = 0, k = 0; i < mine_count; i++) {
        while (k < their_count && by_file(&theirs[k], &mine[i]) < 0)
            k++;
        (*tested)[mine[i].clip] = is_tested(&mine[i], other, theirs + k, their_count - k);
    }
fail:
    free(mine);
    free(theirs);
    return status;
}

/* The clips that stay keep their order. */
dv_status dv_dataset_leave_out_tested(dv_dataset *dataset, const dv_dataset *other, size_t *removed)
{
    bool *tested;
    DV_TRY(find_tested(dataset, other, &tested));
    size_t kept = 0;
    bool trains = false;
    for (size_t i = 0; i < dataset->count; i++) {
        dv_clip *clip = &dataset->clips[i];
        if (tested[i]) {
            dv__clip_free(clip);
            continue;
        }
        trains = trains || clip->part == DV_PART_TRAIN;
        dataset->clips[kept++] = *clip;
    }
    free(tested);
    *removed = dataset->count - kept;
    dataset->removed.tested_later += *removed;
    dataset->count = kept;
    if (!trains)
        return DV_FAIL(DV_ECONFIG,
                       "data: no clip is left for training: %zu are in the test or validation part "
                       "of the other data",
                       *removed);
    return DV_OK;
}

uint64_t dv_dataset_fingerprint(const dv_dataset *dataset)
{
    uint64_t value = DV_HASH_EMPTY;
    for (size_t i = 0; i < dataset->count; i++) {
        const dv_clip *clip = &dataset->clips[i];
        const char part[] = {(char)('0' + clip->part), '\0'};
        value = dv_hash(value ^ dv__clip_hash(dataset, clip), part);
    }
    return value;
}

/* ---- The contents of the files ---- */

/* Computes contents (count), a hash for each file, unless it is known. It stays 0 for a file that
   cannot be read, and for one that equals the file before it, as stretches do. */
static void hash_contents(const char *const *paths, size_t count, int threads, uint64_t *contents)
{
#pragma omp parallel for schedule(dynamic, 8) num_threads(threads) if (threads > 1)
    for (size_t i = 0; i < count; i++) {
        bool again = i > 0 && strcmp(paths[i], paths[i - 1]) == 0;
        if (contents[i] == 0 && !again)
            contents[i] = dv__content_of(paths[i]);
    }
}

/* Contents that are known from loading are not read again. The hash covers the contents of the
   clips in their order, then those of the noises. */
dv_status dv_dataset_sound_fingerprint(const dv_dataset *dataset, const char *noise_paths,
                                       int threads, uint64_t *out)
{
    dv_status status;
    char **noises = NULL;
    const char **paths = NULL;
    uint64_t *contents = NULL;
    size_t noise_count = 0, count = dataset->count;
    if (noise_paths[0] != '\0') {
        status = dv_noise_list(noise_paths, &noises, &noise_count);
        if (status != DV_OK)
            return dv_fail_within(status, "augment.noise_path");
    }
    DV_TRY_GOTO(dv_calloc(count + noise_count, sizeof *paths, &paths));
    DV_TRY_GOTO(dv_calloc(count + noise_count, sizeof *contents, &contents));
    for (size_t i = 0; i < count; i++) {
        paths[i] = dataset->clips[i].path;
        contents[i] = dataset->clips[i].content;
    }
    for (size_t i = 0; i < noise_count; i++)
        paths[count++] = noises[i];
    hash_contents(paths, count, threads, contents);
    char digest[DV_SHA256_SIZE];
    dv_sha256_bytes(contents, count * sizeof *contents, digest);
    *out = dv_hash(DV_HASH_EMPTY, digest);
fail:
    free(contents);
    free(paths);
    dv_noise_unlist(noises, noise_count);
    return status;
}
