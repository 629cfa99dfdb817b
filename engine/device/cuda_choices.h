/* The algorithms that a device's libraries were found to be fastest with: so that the same is
   measured once, in a process or, through a file, in all. */
#ifndef DV_DEVICE_CUDA_CHOICES_H
#define DV_DEVICE_CUDA_CHOICES_H

#include "engine/device/cuda_device.h"

/* The choice with the key of *choice into *choice. False: there is none. */
bool dv_cuda_choice_recall(const dv_cuda_device *device, dv_cuda_choice *choice);
void dv_cuda_choice_remember(dv_cuda_device *device, dv_cuda_choice choice);

/* dv_backend.write_choices and .read_choices. */
dv_status dv_cuda_choices_write(dv_context *context, FILE *file);
dv_status dv_cuda_choices_read(dv_context *context, FILE *file);

#endif
