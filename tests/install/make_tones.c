/* Writes a synthetic data set: labels 0 and 1 are a low and a high tone, by two "speakers". */
#include "frontends/audio/audio.h"

#include <math.h>
#include <stdio.h>

enum { RATE = 8000, COUNT = 4000, TAKES = 8 };

static int write_tone(const char *folder, int label, int take)
{
    static float samples[COUNT];
    double frequency = (label == 0 ? 300.0 : 2200.0) + 15.0 * take;
    for (int i = 0; i < COUNT; i++) {
        double swell = sin(acos(-1.0) * i / COUNT);
        samples[i] = (float)(0.5 * swell * sin(2 * acos(-1.0) * frequency * i / RATE));
    }
    char path[512];
    snprintf(path, sizeof path, "%s/%d_%s_%d.wav", folder, label, take % 2 ? "ann" : "bob", take);
    dv_audio audio = {.samples = samples, .count = COUNT, .sample_rate = RATE};
    if (dv_audio_write_wav(path, &audio) == DV_OK)
        return 0;
    fprintf(stderr, "%s\n", dv_error_message());
    return 1;
}

int main(int argc, char **argv)
{
    int failed = argc != 2;
    for (int i = 0; i < 2 * TAKES && !failed; i++)
        failed = write_tone(argv[1], i % 2, i / 2);
    return failed;
}
