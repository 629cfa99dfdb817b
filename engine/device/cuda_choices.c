/* Remembers the last algorithms that were chosen on a CUDA device, and writes and reads them as
   lines of numbers. */
#include "engine/device/cuda_choices.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

static int kept(const dv_cuda_device *device)
{
    return device->choice_count < DV_CUDA_CHOICES ? device->choice_count : DV_CUDA_CHOICES;
}

bool dv_cuda_choice_recall(const dv_cuda_device *device, dv_cuda_choice *choice)
{
    for (int i = 0; i < kept(device); i++) {
        if (memcmp(device->choices[i].key, choice->key, sizeof choice->key) == 0) {
            *choice = device->choices[i];
            return true;
        }
    }
    return false;
}

void dv_cuda_choice_remember(dv_cuda_device *device, dv_cuda_choice choice)
{
    device->choices[device->choice_count % DV_CUDA_CHOICES] = choice;
    device->choice_count++;
}

dv_status dv_cuda_choices_write(dv_context *context, FILE *file)
{
    const dv_cuda_device *device = dv_cuda_device_of(context);
    for (int i = 0; i < kept(device); i++) {
        const dv_cuda_choice *choice = &device->choices[i];
        for (int k = 0; k < DV_CUDA_CHOICE_KEY; k++)
            fprintf(file, "%" PRId32 " ", choice->key[k]);
        fprintf(file, "%" PRId32 " %" PRId32 "\n", choice->algorithm, choice->math);
    }
    return ferror(file) == 0
               ? DV_OK
               : DV_FAIL(DV_EIO, "cannot write the chosen algorithms: %s", strerror(errno));
}

/* Reads one choice. Returns false if there is no complete one. */
static bool read_one(FILE *file, dv_cuda_choice *choice)
{
    for (int k = 0; k < DV_CUDA_CHOICE_KEY; k++) {
        if (fscanf(file, "%" SCNd32, &choice->key[k]) != 1)
            return false;
    }
    return fscanf(file, "%" SCNd32 " %" SCNd32, &choice->algorithm, &choice->math) == 2;
}

dv_status dv_cuda_choices_read(dv_context *context, FILE *file)
{
    dv_cuda_choice choice;
    while (read_one(file, &choice)) {
        dv_cuda_choice known = choice;
        if (!dv_cuda_choice_recall(dv_cuda_device_of(context), &known))
            dv_cuda_choice_remember(dv_cuda_device_of(context), choice);
    }
    return feof(file) != 0 ? DV_OK
                           : DV_FAIL(DV_EFORMAT, "the file is no list of chosen algorithms");
}
