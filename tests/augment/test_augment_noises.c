/* Noises from files that augmentation adds. */
#include "frontends/audio/audio.h"
#include "tests/support/augment_setup.h"
#include "tests/support/dataset_folder.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { RATE = 8000 };

static void recorded_noises_are_read(void **state)
{
    (void)state;
    const char *data = getenv("DECAVOX_DATA") != NULL ? getenv("DECAVOX_DATA") : "../shared/data";
    dv_augment_config config = default_config();
    config.noise = 1;
    config.noise_colors = 2;
    snprintf(config.noise_path, sizeof config.noise_path, "%s/noise", data);
    if (access(config.noise_path, R_OK) != 0) {
        print_message("skipped: %s is not there (set DECAVOX_DATA)\n", config.noise_path);
        skip();
    }
    setup s = open_setup(&config);
    const dv_noise_bank *bank = &dv_augmenter_tables(s.augmenter)->noise;
    assert_int_equal(bank->count, 8);
    assert_true(bank->sample_count > 6 * 50 * RATE);
    close_setup(&s);
}

/* A noise shorter than a window is repeated. A silent one is never added. */
static void short_and_silent_noises(void **state)
{
    const char *folder = *state;
    char path[512];
    float sound[1000], silence[9000] = {0};
    for (int i = 0; i < 1000; i++)
        sound[i] = (i & 1) != 0 ? 0.5F : -0.5F;
    dv_audio audio = {.samples = sound, .count = 1000, .sample_rate = RATE};
    snprintf(path, sizeof path, "%s/a.wav", folder);
    must(dv_audio_write_wav(path, &audio));
    audio = (dv_audio){.samples = silence, .count = 9000, .sample_rate = RATE};
    snprintf(path, sizeof path, "%s/b.wav", folder);
    must(dv_audio_write_wav(path, &audio));
    dv_augment_config config = default_config();
    config.noise = 1;
    config.noise_colors = 0;
    snprintf(config.noise_path, sizeof config.noise_path, "%s", folder);
    setup s = open_setup(&config);
    const dv_noise_bank *bank = &dv_augmenter_tables(s.augmenter)->noise;
    assert_int_equal(bank->count, 2);
    assert_int_equal(bank->noises[0].starts, 1);
    assert_true(fabsf(bank->factors[0] - 2) < 1e-3F);
    assert_true(bank->samples[1234] == bank->samples[234]);
    for (int64_t i = 0; i < bank->noises[1].starts; i++)
        assert_true(bank->factors[bank->noises[1].first + i] == 0);
    close_setup(&s);
}

/* Files and folders are read in the order of the list. */
static void noises_of_several_paths(void **state)
{
    const char *folder = *state;
    char path[512];
    float sound[9000];
    dv_augment_config config = default_config();
    static const char *const names[] = {"one.wav", "some/a.wav", "some/b.wav", "last.wav"};
    snprintf(path, sizeof path, "%s/some", folder);
    assert_int_equal(mkdir(path, 0777), 0);
    for (int k = 0; k < 4; k++) {
        for (int i = 0; i < 9000; i++)
            sound[i] = ((i & 1) != 0 ? 1 : -1) / (float)(2 << k);
        const dv_audio audio = {.samples = sound, .count = 9000, .sample_rate = RATE};
        snprintf(path, sizeof path, "%s/%s", folder, names[k]);
        must(dv_audio_write_wav(path, &audio));
    }
    config.noise = 1;
    config.noise_colors = 0;
    snprintf(config.noise_path, sizeof config.noise_path, "%s/one.wav,%s/some,%s/last.wav", folder,
             folder, folder);
    setup s = open_setup(&config);
    const dv_noise_bank *bank = &dv_augmenter_tables(s.augmenter)->noise;
    assert_int_equal(bank->count, 4);
    for (int k = 0; k < 4; k++)
        assert_true(fabsf(bank->factors[bank->noises[k].first] / (float)(2 << k) - 1) < 1e-3F);
    close_setup(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recorded_noises_are_read),
        IN_FOLDER(short_and_silent_noises),
        IN_FOLDER(noises_of_several_paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
