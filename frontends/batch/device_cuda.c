/*
 * All clips lie in one buffer of the device. A batch is made in parts, so that long windows need
 * little working memory. The steps are frames of windowed samples, their spectra by cuFFT, decibels
 * and features.
 */
#include "engine/base/rng.h"
#include "frontends/augment/augment_cuda.h"
#include "frontends/batch/device.h"

#include <cufft.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    PART_POINTS = 1 << 24,    /* the most points of a part, unless one clip has more */
    PART_PLACES = 32768,      /* places of a part; grids limit their second dimension */
    MOST_POINTS = 1 << 29,    /* points of one clip's transforms */
    MOST_PLACES = 1 << 24,    /* places of a batch; more would have no random numbers */
    STAGED_SAMPLES = 1 << 22, /* samples that are uploaded at a time */
};

struct dv_clip_store {
    dv_context *context;
    int64_t batch, part; /* the most clips of a batch and of a part */
    int64_t clip_count, sample_count;
    dv_clip_frames frames; /* the members that all batches share */
    dv_device_augment augment;
    dv_levels levels;
    dv_level_features features;

    /* Device memory. */
    float *samples;
    dv_stored_clip *clips;
    float *window, *weights, *dct;
    int64_t *first, *start;
    float *windowed;       /* (part, frames, n_fft) */
    cufftComplex *spectra; /* (part, frames, n_fft / 2 + 1) */
    float *decibels;       /* (part, bands, frames) */
    float *cepstra;        /* (part, rows, frames), with a DCT */
    void *area;            /* work area of cuFFT */

    cufftHandle transform;
    bool has_transform;
};

/* ---- cuFFT ---- */

/* The meaning of a result in words, for messages. */
static const char *cufft_text(cufftResult result)
{
    switch (result) {
    case CUFFT_INVALID_PLAN:
        return "invalid plan";
    case CUFFT_ALLOC_FAILED:
        return "out of memory";
    case CUFFT_INVALID_VALUE:
        return "invalid value";
    case CUFFT_INTERNAL_ERROR:
        return "internal error";
    case CUFFT_EXEC_FAILED:
        return "execution failed";
    case CUFFT_SETUP_FAILED:
        return "initialisation failed";
    case CUFFT_INVALID_SIZE:
        return "invalid size";
    case CUFFT_NO_WORKSPACE:
        return "no work area";
    case CUFFT_NOT_SUPPORTED:
        return "not supported";
    default:
        return "see cufftResult";
    }
}

static dv_status cufft_check(cufftResult result, const char *call)
{
    if (result == CUFFT_SUCCESS)
        return DV_OK;
    return DV_FAIL(result == CUFFT_ALLOC_FAILED ? DV_ENOMEM : DV_EDEVICE, "%s: cuFFT status %d: %s",
                   call, (int)result, cufft_text(result));
}

#define DV_CUFFT(call) DV_TRY(cufft_check((call), #call))

/* ---- Making ---- */

/* Refuses batches and transforms beyond the limits above, and clips with a wrong count or label. */
static dv_status check(const dv_feature_tables *tables, const dv_clip_list *clips, int64_t batch)
{
    int64_t points = tables->frames * tables->n_fft;
    if (batch < 1 || batch > MOST_PLACES)
        return DV_FAIL(DV_EARG, "features on the device: a batch of %" PRId64 ", must be 1 to %d",
                       batch, MOST_PLACES);
    if (points > MOST_POINTS)
        return DV_FAIL(DV_EUNSUPPORTED,
                       "features on the device: %" PRId64 " frames of n_fft %" PRId64
                       " are %" PRId64 " points for a clip, above the limit of %d",
                       tables->frames, tables->n_fft, points, MOST_POINTS);
    if (clips->count < 1 || clips->count > INT32_MAX)
        return DV_FAIL(
            DV_EARG, "features on the device: there are %" PRId64 " clips, must be 1 to 2147483647",
            clips->count);
    for (int64_t i = 0; i < clips->count; i++) {
        const dv_clip_view *clip = &clips->clips[i];
        if (clip->count < 0 || clip->label < 0 || clip->label >= clips->classes)
            return DV_FAIL(DV_EARG,
                           "features on the device: clip %" PRId64 " has %" PRId64
                           " samples and label %" PRId64 " of %" PRId64 " classes",
                           i, clip->count, clip->label, clips->classes);
    }
    return DV_OK;
}

static int64_t levels_of(const dv_clip_store *store)
{
    return store->levels.bands > 0 ? store->levels.bands : store->levels.bins;
}

/* Sets the sizes that all batches share. A part has as many clips as PART_POINTS and PART_PLACES
   allow, but at least one, and no more than a batch. */
static void describe(dv_clip_store *store, const dv_feature_tables *tables,
                     const dv_clip_list *clips, int64_t batch)
{
    int64_t part = PART_POINTS / (tables->frames * tables->n_fft);
    part = part < 1 ? 1 : part;
    part = part < PART_PLACES ? part : PART_PLACES;
    store->batch = batch;
    store->part = part < batch ? part : batch;
    store->clip_count = clips->count;
    for (int64_t i = 0; i < clips->count; i++)
        store->sample_count += clips->clips[i].count;
    store->frames = (dv_clip_frames){.length = tables->samples,
                                     .frames = tables->frames,
                                     .n_fft = tables->n_fft,
                                     .hop = tables->hop,
                                     .lead = tables->lead,
                                     .edges = tables->edges,
                                     .classes = clips->classes};
    store->levels = (dv_levels){.frames = tables->frames,
                                .bins = tables->n_fft / 2 + 1,
                                .bands = tables->mel_first != NULL ? tables->bands : 0};
    store->features = (dv_level_features){.bands = levels_of(store),
                                          .rows = tables->rows,
                                          .frames = tables->frames,
                                          .top_db = (float)tables->top_db,
                                          .mean = (dv_norm_over)tables->mean,
                                          .deviation = (dv_norm_over)tables->deviation};
}

static dv_status allocate(dv_clip_store *store, int64_t count, size_t size, void *out /* T ** */)
{
    void *memory;
    DV_TRY(store->context->backend->allocate(store->context, (size_t)count * size, &memory));
    memcpy(out, &memory, sizeof memory);
    return DV_OK;
}

static dv_status upload(dv_clip_store *store, void *device, const void *host, int64_t count,
                        size_t size)
{
    return store->context->backend->upload(store->context, device, host, (size_t)count * size);
}

/* Copies a table of `count` elements to the device. */
static dv_status table(dv_clip_store *store, const void *host, int64_t count, size_t size,
                       void *out /* T ** */)
{
    void *memory;
    DV_TRY(allocate(store, count, size, out));
    memcpy(&memory, out, sizeof memory);
    return upload(store, memory, host, count, size);
}

static dv_status make_tables(dv_clip_store *store, const dv_feature_tables *tables)
{
    int64_t bands = tables->bands;
    DV_TRY(table(store, tables->window, tables->n_fft, sizeof(float), &store->window));
    if (tables->mel_first == NULL)
        return DV_OK;
    DV_TRY(table(store, tables->mel_first, bands, sizeof(int64_t), &store->first));
    DV_TRY(table(store, tables->mel_start, bands + 1, sizeof(int64_t), &store->start));
    DV_TRY(table(store, tables->mel_weights, tables->mel_start[bands], sizeof(float),
                 &store->weights));
    if (tables->dct != NULL)
        DV_TRY(table(store, tables->dct, tables->coefficients * bands, sizeof(float), &store->dct));
    return DV_OK;
}

/* Uploads many clips at a time, since each upload waits for the device. `stage` has room for
   STAGED_SAMPLES. */
static dv_status upload_samples(dv_clip_store *store, const dv_clip_list *clips, float *stage)
{
    int64_t uploaded = 0, staged = 0;
    for (int64_t i = 0; i < clips->count; i++) {
        const dv_clip_view *clip = &clips->clips[i];
        for (int64_t done = 0; done < clip->count;) {
            int64_t room = STAGED_SAMPLES - staged, left = clip->count - done;
            int64_t count = left < room ? left : room;
            memcpy(stage + staged, clip->samples + done, (size_t)count * sizeof *stage);
            done += count;
            staged += count;
            if (staged == STAGED_SAMPLES) {
                DV_TRY(upload(store, store->samples + uploaded, stage, staged, sizeof *stage));
                uploaded += staged;
                staged = 0;
            }
        }
    }
    return upload(store, store->samples + uploaded, stage, staged, sizeof *stage);
}

static void list_clips(const dv_clip_list *clips, dv_stored_clip *list)
{
    int64_t offset = 0;
    for (int64_t i = 0; i < clips->count; i++) {
        const dv_clip_view *clip = &clips->clips[i];
        list[i] = (dv_stored_clip){.offset = offset,
                                   .count = clip->count,
                                   .center = clip->center,
                                   .label = (int32_t)clip->label,
                                   .rms = clip->rms,
                                   .weight = 1};
        if (clips->class_weights != NULL)
            list[i].weight = clips->class_weights[clip->label];
        offset += clip->count;
    }
}

static dv_status make_clips(dv_clip_store *store, const dv_clip_list *clips)
{
    dv_status status = DV_OK;
    dv_stored_clip *list = NULL;
    float *stage = NULL;
    DV_TRY_GOTO(allocate(store, store->sample_count, sizeof(float), &store->samples));
    DV_TRY_GOTO(dv_calloc((size_t)clips->count, sizeof *list, &list));
    DV_TRY_GOTO(dv_calloc(STAGED_SAMPLES, sizeof *stage, &stage));
    list_clips(clips, list);
    DV_TRY_GOTO(upload_samples(store, clips, stage));
    DV_TRY_GOTO(table(store, list, clips->count, sizeof *list, &store->clips));
fail:
    free(list);
    free(stage);
    return status;
}

/* The work area is allocated here and not by cuFFT, so that all memory is allocated in one way. */
static dv_status make_transform(dv_clip_store *store)
{
    int n_fft = (int)store->frames.n_fft, bins = (int)store->levels.bins;
    int transforms = (int)(store->part * store->frames.frames);
    size_t bytes = 0;
    DV_CUFFT(cufftCreate(&store->transform));
    store->has_transform = true;
    DV_CUFFT(cufftSetAutoAllocation(store->transform, 0));
    DV_CUFFT(cufftMakePlanMany(store->transform, 1, &n_fft, &n_fft, 1, n_fft, &bins, 1, bins,
                               CUFFT_R2C, transforms, &bytes));
    DV_TRY(allocate(store, (int64_t)bytes, 1, &store->area));
    DV_CUFFT(cufftSetWorkArea(store->transform, store->area));
    DV_CUFFT(cufftSetStream(store->transform, dv_cuda_device_of(store->context)->stream));
    return DV_OK;
}

static dv_status make_work(dv_clip_store *store)
{
    int64_t columns = store->part * store->frames.frames;
    DV_TRY(allocate(store, columns * store->frames.n_fft, sizeof(float), &store->windowed));
    DV_TRY(allocate(store, columns * store->levels.bins, sizeof(cufftComplex), &store->spectra));
    DV_TRY(allocate(store, columns * levels_of(store), sizeof(float), &store->decibels));
    if (store->dct != NULL)
        DV_TRY(allocate(store, columns * store->features.rows, sizeof(float), &store->cepstra));
    return make_transform(store);
}

static dv_status fill(dv_clip_store *store, const dv_feature_tables *tables,
                      const dv_clip_list *clips)
{
    DV_TRY(make_clips(store, clips));
    DV_TRY(make_tables(store, tables));
    DV_TRY(dv_device_augment_create(store->context, &clips->augment, &store->frames, store->part,
                                    &store->augment));
    DV_TRY(make_work(store));
    store->frames.samples = store->samples;
    store->frames.clips = store->clips;
    store->frames.window = store->window;
    store->frames.augment = store->augment.tables;
    store->levels.first = store->first;
    store->levels.start = store->start;
    store->levels.weights = store->weights;
    store->features.dct = store->dct;
    return DV_OK;
}

static void destroy(dv_clip_store *store)
{
    if (store == NULL)
        return;
    void *const memory[] = {store->samples, store->clips,    store->window,  store->weights,
                            store->dct,     store->first,    store->start,   store->windowed,
                            store->spectra, store->decibels, store->cepstra, store->area};
    for (size_t i = 0; i < sizeof memory / sizeof memory[0]; i++)
        store->context->backend->release(store->context, memory[i]);
    dv_device_augment_free(store->context, &store->augment);
    if (store->has_transform)
        (void)cufftDestroy(store->transform);
    free(store);
}

/* If memory runs out, the message has the sizes that were asked for. */
static dv_status create(dv_context *context, const dv_feature_tables *tables,
                        const dv_clip_list *clips, int64_t batch, dv_clip_store **out)
{
    dv_clip_store *store;
    *out = NULL;
    DV_TRY(check(tables, clips, batch));
    DV_TRY(dv_calloc(1, sizeof *store, &store));
    store->context = context;
    describe(store, tables, clips, batch);
    dv_status status = fill(store, tables, clips);
    if (status == DV_ENOMEM)
        (void)dv_fail_within(status,
                             "features on the device: %" PRId64 " clips with %" PRId64
                             " samples, %" PRId64 " transforms of n_fft %" PRId64,
                             store->clip_count, store->sample_count,
                             store->part * store->frames.frames, store->frames.n_fft);
    if (status != DV_OK) {
        destroy(store);
        return status;
    }
    *out = store;
    return DV_OK;
}

/* ---- Batches ---- */

static dv_status check_request(const dv_clip_store *store, const dv_batch_request *request)
{
    if (request->count < 1 || request->count > store->batch)
        return DV_FAIL(DV_EARG, "a batch of %" PRId64 " clips, must be 1 to %" PRId64,
                       request->count, store->batch);
    if (request->progress == NULL) {
        if (request->first < 0 || request->first >= request->order_count)
            return DV_FAIL(
                DV_EARG, "a batch begins at place %" PRId64 ", and the order has %" PRId64 " clips",
                request->first, request->order_count);
        return DV_OK;
    }
    if (request->steps_per_epoch < 1 || request->order_count < request->count ||
        request->steps_per_epoch > (uint64_t)(request->order_count / request->count))
        return DV_FAIL(DV_EARG,
                       "an epoch of %" PRIu64 " batches of %" PRId64
                       " clips does not fit the order of %" PRId64 " clips",
                       request->steps_per_epoch, request->count, request->order_count);
    return DV_OK;
}

static dv_random_places places_of(const dv_batch_request *request, int64_t place, int64_t places)
{
    return (dv_random_places){.progress = request->progress,
                              .seed = request->seed,
                              .use = DV_RNG_AUGMENT,
                              .always_first = request->always_first,
                              .place = place,
                              .places = places};
}

/* Makes the kernels' arguments for the clips from `place` on. A batch without progress is for
   validation and has no masks. */
static void describe_part(const dv_clip_store *store, const dv_batch_request *request,
                          int64_t place, int64_t places, dv_clip_frames *frames, dv_levels *levels,
                          dv_level_features *features)
{
    *frames = store->frames;
    frames->random = places_of(request, place, places);
    frames->count = request->count;
    frames->order = request->order;
    frames->order_count = request->order_count;
    frames->steps_per_epoch = request->steps_per_epoch;
    frames->first = request->first;
    *levels = store->levels;
    *features = store->features;
    levels->places = features->places = places;
    if (request->progress == NULL)
        return;
    const dv_augment_limits *limits = &store->augment.tables.limits;
    features->random = frames->random;
    features->frequency_masks = limits->frequency_masks;
    features->frequency_width = limits->frequency_width;
    features->time_masks = limits->time_masks;
    features->time_width = limits->time_width;
}

/* The transforms always cover a whole part. Results beyond the last place are not read. */
static dv_status enqueue_part(dv_clip_store *store, const dv_batch_request *request, int64_t place,
                              int64_t places)
{
    cudaStream_t stream = dv_cuda_device_of(store->context)->stream;
    dv_clip_frames frames;
    dv_levels levels;
    dv_level_features features;
    describe_part(store, request, place, places, &frames, &levels, &features);
    int64_t before = place * features.rows * features.frames;
    char *out = (char *)request->features + (size_t)before * dv_dtype_size(request->dtype);
    float *targets = request->targets != NULL ? request->targets + place * frames.classes : NULL;
    if (request->progress != NULL)
        DV_TRY(dv_device_augment_part(store->context, &store->augment, &frames, &levels));
    DV_CUDA(dv_launch_clip_frames(&frames, store->windowed, targets, stream));
    DV_CUFFT(cufftExecR2C(store->transform, store->windowed, store->spectra));
    DV_CUDA(dv_launch_levels(&levels, store->spectra, store->decibels, stream));
    DV_CUDA(dv_launch_level_features(request->dtype, &features, store->decibels, store->cepstra,
                                     out, stream));
    return DV_OK;
}

static dv_status batch(dv_clip_store *store, const dv_batch_request *request)
{
    DV_TRY(check_request(store, request));
    DV_CUDA(cudaSetDevice(dv_cuda_device_of(store->context)->index));
    for (int64_t place = 0; place < request->count; place += store->part) {
        int64_t left = request->count - place;
        DV_TRY(enqueue_part(store, request, place, left < store->part ? left : store->part));
    }
    if (request->progress == NULL)
        return DV_OK;
    dv_random_places all = places_of(request, 0, request->count);
    return dv_device_augment_mix(store->context, &store->augment, &all,
                                 store->features.rows * store->features.frames, request->dtype,
                                 request->features, store->frames.classes, request->targets);
}

DV_API extern const dv_device_batches dv_module_batches;

const dv_device_batches dv_module_batches = {.create = create, .destroy = destroy, .batch = batch};
