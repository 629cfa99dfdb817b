/* Augmentation of a clip store: its tables and working memory on the device. */
#ifndef DV_AUGMENT_CUDA_H
#define DV_AUGMENT_CUDA_H

#include "engine/device/cuda_device.h"
#include "kernels/features.h"

typedef struct dv_device_augment {
    dv_augment_tables tables; /* pointers to device memory */
    int64_t history;          /* samples before the window that reflections reach back to */
    float *noise_samples, *noise_factors, *resampler, *telephone, *mixing;
    dv_noise *noises;
    float *dry, *windows;     /* (part, history + length), (part, length); NULL if not needed */
    float *gains, *positions; /* (part, n_fft / 2 + 1); NULL if not needed */
} dv_device_augment;

/* `frames` has the sizes of a window; `part` windows are made at a time. *out must be zero before.
   The caller frees it, also after a failure. */
dv_status dv_device_augment_create(dv_context *context, const dv_augment_tables *host,
                                   const dv_clip_frames *frames, int64_t part,
                                   dv_device_augment *out);
void dv_device_augment_free(dv_context *context, dv_device_augment *augment);

/* Enqueues the windows and the changes of the spectra of a part, and points *frames and *levels to
   them. */
dv_status dv_device_augment_part(dv_context *context, const dv_device_augment *augment,
                                 dv_clip_frames *frames, dv_levels *levels);

/* Mixes the features, of `dtype`, and the targets of a whole batch. `targets` may be NULL. */
dv_status dv_device_augment_mix(dv_context *context, const dv_device_augment *augment,
                                const dv_random_places *random, int64_t size, dv_dtype dtype,
                                void *features, int64_t classes, float *targets);

#endif
