/* Remembers the fastest algorithms of a device's libraries, so that each is measured only once in a
   process, or, through a file, once for all processes. */
#ifndef DV_DEVICE_CUDA_CHOICES_H
#define DV_DEVICE_CUDA_CHOICES_H

#include "engine/device/cuda_device.h"

/* Completes *choice with the remembered choice of the same key. Returns false if there is none. */
bool dv_cuda_choice_recall(const dv_cuda_device *device, dv_cuda_choice *choice);
void dv_cuda_choice_remember(dv_cuda_device *device, dv_cuda_choice choice);

/* dv_backend.write_choices and .read_choices. */
dv_status dv_cuda_choices_write(dv_context *context, FILE *file);
dv_status dv_cuda_choices_read(dv_context *context, FILE *file);

#endif
