/* Copies the augmenter's tables to a device, and enqueues the kernels that augment a batch
   there. */
#include "frontends/augment/augment_cuda.h"

#include "kernels/formulas/augment_math.h"

#include <string.h>

static dv_status allocate(dv_context *context, int64_t count, float **out)
{
    void *memory;
    DV_TRY(context->backend->allocate(context, (size_t)count * sizeof **out, &memory));
    *out = memory;
    return DV_OK;
}

/* Copies `count` elements to the device. NULL stays NULL. */
static dv_status copy(dv_context *context, const void *host, int64_t count, size_t size,
                      void *out /* T ** */)
{
    void *memory = NULL;
    if (host == NULL)
        return DV_OK;
    DV_TRY(context->backend->allocate(context, (size_t)count * size, &memory));
    memcpy(out, &memory, sizeof memory);
    return context->backend->upload(context, memory, host, (size_t)count * size);
}

/* Uploads the tables that are needed. out->tables becomes the host's struct with pointers to the
   copies. */
static dv_status copy_tables(dv_context *context, const dv_augment_tables *host, int64_t bins,
                             dv_device_augment *out)
{
    const dv_noise_bank *noise = &host->noise;
    DV_TRY(copy(context, noise->samples, noise->sample_count, sizeof(float), &out->noise_samples));
    DV_TRY(copy(context, noise->factors, noise->start_count, sizeof(float), &out->noise_factors));
    DV_TRY(copy(context, noise->noises, noise->count, sizeof(dv_noise), &out->noises));
    DV_TRY(copy(context, host->resampler,
                (int64_t)DV_RESAMPLE_FILTERS * DV_RESAMPLE_PHASES * DV_RESAMPLE_TAPS, sizeof(float),
                &out->resampler));
    DV_TRY(copy(context, host->telephone, bins, sizeof(float), &out->telephone));
    DV_TRY(copy(context, host->mixing, DV_MIX_POINTS + 1, sizeof(float), &out->mixing));
    out->tables = *host;
    out->tables.noise.samples = out->noise_samples;
    out->tables.noise.factors = out->noise_factors;
    out->tables.noise.noises = out->noises;
    out->tables.resampler = out->resampler;
    out->tables.telephone = out->telephone;
    out->tables.mixing = out->mixing;
    return DV_OK;
}

dv_status dv_device_augment_create(dv_context *context, const dv_augment_tables *host,
                                   const dv_clip_frames *frames, int64_t part,
                                   dv_device_augment *out)
{
    const dv_augment_limits *limits = &host->limits;
    int64_t bins = frames->n_fft / 2 + 1;
    DV_TRY(copy_tables(context, host, bins, out));
    if (limits->reverberation > 0) {
        out->history = limits->most_decay / 2 + 1;
        DV_TRY(allocate(context, part * (out->history + frames->length), &out->dry));
    }
    if (dv_augment_changes_sound(limits))
        DV_TRY(allocate(context, part * frames->length, &out->windows));
    if (limits->equalizer > 0 || limits->telephone > 0)
        DV_TRY(allocate(context, part * bins, &out->gains));
    if (limits->max_warp > 0)
        DV_TRY(allocate(context, part * bins, &out->positions));
    return DV_OK;
}

void dv_device_augment_free(dv_context *context, dv_device_augment *augment)
{
    void *const memory[] = {augment->noise_samples, augment->noise_factors, augment->noises,
                            augment->resampler,     augment->telephone,     augment->mixing,
                            augment->dry,           augment->windows,       augment->gains,
                            augment->positions};
    for (size_t i = 0; i < sizeof memory / sizeof memory[0]; i++)
        context->backend->release(context, memory[i]);
}

dv_status dv_device_augment_part(dv_context *context, const dv_device_augment *augment,
                                 dv_clip_frames *frames, dv_levels *levels)
{
    cudaStream_t stream = dv_cuda_device_of(context)->stream;
    if (augment->windows != NULL) {
        DV_CUDA(dv_launch_clip_windows(frames, augment->history, augment->dry, augment->windows,
                                       stream));
        frames->windows = augment->windows;
    }
    if (augment->gains != NULL || augment->positions != NULL)
        DV_CUDA(dv_launch_spectral_changes(frames, augment->gains, augment->positions, stream));
    levels->gains = augment->gains;
    levels->positions = augment->positions;
    return DV_OK;
}

dv_status dv_device_augment_mix(dv_context *context, const dv_device_augment *augment,
                                const dv_random_places *random, int64_t size, dv_dtype dtype,
                                void *features, int64_t classes, float *targets)
{
    cudaStream_t stream = dv_cuda_device_of(context)->stream;
    if (augment->mixing == NULL)
        return DV_OK;
    DV_CUDA(dv_launch_mix(dtype, random, augment->mixing, size, features, stream));
    if (targets != NULL)
        DV_CUDA(dv_launch_mix(DV_F32, random, augment->mixing, classes, targets, stream));
    return DV_OK;
}
