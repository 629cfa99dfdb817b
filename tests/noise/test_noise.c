/* Recorded noise: finding it, dealing it out, and adding it to a recording. */
#include "engine/base/rng.h"
#include "tests/support/dataset_folder.h"
#include "tests/support/must.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { RATE = 8000, CLIP = 3000, LONG = 20000, SHORT = 700 };

/* Makes a sound between -0.5 and 0.5 with a tone in it, another one for each number. */
static void make_sound(int number, float *samples, int64_t count)
{
    dv_rng rng = {.seed = 2, .use = DV_RNG_TEST, .step = (uint64_t)number};
    for (int64_t i = 0; i < count; i++)
        samples[i] = 0.4F * (dv_rng_uniform(&rng, (uint32_t)i) - 0.5F) +
                     0.3F * (float)sin(0.05 * (number + 2) * (double)i);
}

static void write_sound(const char *folder, const char *name, int number, int64_t count)
{
    char path[PATH_SIZE];
    float *samples = calloc((size_t)count, sizeof *samples);
    make_sound(number, samples, count);
    const dv_audio audio = {.samples = samples, .count = count, .sample_rate = RATE};
    must(dv_audio_write_wav(path_in(folder, name, path), &audio));
    free(samples);
}

/* A noise in memory. The caller owns its samples. */
static dv_noise_file noise_of(float *samples, int64_t count)
{
    make_sound(100, samples, count);
    return (dv_noise_file){.audio = {.samples = samples, .count = count, .sample_rate = RATE}};
}

static double rms_of(const double *values, int count)
{
    double sum = 0;
    for (int i = 0; i < count; i++)
        sum += values[i] * values[i];
    return sqrt(sum / count);
}

/* ---- Listing and reading ---- */

static void lists_folders_and_files(void **state)
{
    const char *folder = *state;
    char paths[3 * PATH_SIZE], want[PATH_SIZE], **files;
    size_t count;
    make_subfolder(folder, "some");
    write_file(folder, "some/n10.wav", "");
    write_file(folder, "some/n9.FLAC", "");
    write_file(folder, "some/.n1.wav", "");
    write_file(folder, "some/read.me", "");
    write_file(folder, "one.raw", "");
    snprintf(paths, sizeof paths, "%s/one.raw,%s/some,%s/some/n10.wav", folder, folder, folder);
    must(dv_noise_list(paths, &files, &count));
    static const char *const names[] = {"one.raw", "some/n9.FLAC", "some/n10.wav", "some/n10.wav"};
    assert_int_equal(count, 4);
    for (size_t i = 0; i < count; i++)
        assert_string_equal(files[i], path_in(folder, names[i], want));
    dv_noise_unlist(files, count);
}

static void refuse_list(const char *paths, dv_status code, const char *part)
{
    char *none = NULL, **files = &none;
    size_t count = 7;
    assert_int_equal(dv_noise_list(paths, &files, &count), code);
    assert_null(files);
    assert_int_equal(count, 0);
    assert_message(part);
}

static void refuse_read(const char *paths, dv_status code, const char *part)
{
    dv_noise_files noises;
    assert_int_equal(dv_noise_files_read(paths, RATE, &noises), code);
    assert_null(noises.items);
    assert_int_equal(noises.count, 0);
    assert_message(part);
}

static void refusals(void **state)
{
    const char *folder = *state;
    char paths[2 * PATH_SIZE], path[PATH_SIZE];
    write_sound(folder, "good.wav", 0, 100);
    make_subfolder(folder, "nothing");
    refuse_list("", DV_EARG, "'': one of the paths is empty");
    snprintf(paths, sizeof paths, "%s/good.wav,", folder);
    refuse_list(paths, DV_EARG, "good.wav,'");
    snprintf(paths, sizeof paths, "%s/good.wav,,%s", folder, folder);
    refuse_list(paths, DV_EARG, "one of the paths is empty");
    snprintf(paths, sizeof paths, "%s,%s/absent", folder, folder);
    refuse_list(paths, DV_EIO, "absent: cannot be read: No such file");
    refuse_list(path_in(folder, "nothing", path), DV_EIO,
                "nothing: the folder holds no sound file");

    write_file(folder, "text.wav", "this is no sound");
    refuse_read(folder, DV_EFORMAT, "text.wav");
    write_file(folder, "empty.wav", "");
    refuse_read(path_in(folder, "empty.wav", path), DV_EFORMAT, "empty.wav: is empty");
    refuse_read("", DV_EARG, "one of the paths is empty");
}

static void reads_at_the_rate(void **state)
{
    char path[PATH_SIZE];
    dv_noise_files noises;
    write_sound(*state, "a.wav", 1, 1000);
    write_sound(*state, "b.wav", 2, 2000);
    must(dv_noise_files_read(*state, RATE, &noises));
    assert_int_equal(noises.count, 2);
    assert_string_equal(noises.items[1].path, path_in(*state, "b.wav", path));
    assert_int_equal(noises.items[0].audio.count, 1000);
    dv_noise_files_free(&noises);
    must(dv_noise_files_read(*state, 2 * RATE, &noises));
    assert_in_range(noises.items[1].audio.count, 3990, 4010);
    dv_noise_files_free(&noises);
}

/* ---- Mixing ---- */

/* Adds a noise to a clip, and computes the added samples and the ratio of the two in dB by the
   definition. */
static double added(const dv_noise_file *noise, uint64_t seed, uint64_t key, double snr,
                    double *difference)
{
    float clean[CLIP], mixed[CLIP];
    double signal[CLIP];
    make_sound(7, clean, CLIP);
    memcpy(mixed, clean, sizeof mixed);
    dv_noise_add(noise, seed, key, snr, mixed, CLIP);
    for (int i = 0; i < CLIP; i++) {
        signal[i] = (double)clean[i];
        difference[i] = (double)mixed[i] - (double)clean[i];
    }
    return 20 * log10(rms_of(signal, CLIP) / rms_of(difference, CLIP));
}

static void ratio_is_as_asked(void **state)
{
    (void)state;
    float samples[LONG];
    double difference[CLIP];
    static const int64_t lengths[] = {LONG, CLIP, SHORT, 2};
    static const double ratios[] = {-60, -20, 0, 2.5, 10, 40};
    for (size_t k = 0; k < sizeof lengths / sizeof lengths[0]; k++) {
        dv_noise_file noise = noise_of(samples, lengths[k]);
        for (size_t i = 0; i < sizeof ratios / sizeof ratios[0]; i++) {
            double got = added(&noise, 3, 11 + i, ratios[i], difference);
            if (!(fabs(got - ratios[i]) < 1e-3))
                fail_msg("%g dB, asked for %g, noise of %d", got, ratios[i], (int)lengths[k]);
        }
    }
}

/* The added samples are one factor times consecutive samples of the noise, which is repeated. */
static void a_stretch_is_added(void **state)
{
    (void)state;
    float samples[LONG];
    double difference[CLIP];
    static const int64_t lengths[] = {LONG, CLIP, SHORT};
    for (size_t k = 0; k < sizeof lengths / sizeof lengths[0]; k++) {
        dv_noise_file noise = noise_of(samples, lengths[k]);
        added(&noise, 3, 12, 0, difference);
        int64_t start = dv_noise_start(&noise, 3, 12, CLIP);
        double factor = difference[100] / (double)samples[(start + 100) % lengths[k]];
        assert_true(factor > 0.1);
        for (int64_t i = 0; i < CLIP; i++) {
            double want = factor * (double)samples[(start + i) % lengths[k]];
            if (!(fabs(difference[i] - want) < 1e-5))
                fail_msg("noise of %d, sample %d: %g, expected %g", (int)lengths[k], (int)i,
                         difference[i], want);
        }
    }
}

static void same_stretch_at_every_ratio(void **state)
{
    (void)state;
    float samples[LONG];
    double one[CLIP], other[CLIP];
    dv_noise_file noise = noise_of(samples, LONG);
    added(&noise, 3, 13, 0, one);
    static const double ratios[] = {20, -20};
    for (int k = 0; k < 2; k++) {
        added(&noise, 3, 13, ratios[k], other);
        double scale = pow(10, ratios[k] / 20);
        for (int i = 0; i < CLIP; i++)
            assert_true(fabs(one[i] - other[i] * scale) < 1e-5);
    }
    added(&noise, 3, 14, 0, other); /* another clip */
    assert_true(fabs(one[5] - other[5]) > 1e-4 || fabs(one[6] - other[6]) > 1e-4);
    added(&noise, 4, 13, 0, other); /* another seed */
    assert_true(fabs(one[5] - other[5]) > 1e-4 || fabs(one[6] - other[6]) > 1e-4);
    added(&noise, 3, 13, 0, other);
    assert_memory_equal(one, other, sizeof one);
}

static void silence_stays_as_it_is(void **state)
{
    (void)state;
    float samples[LONG], clip[CLIP], before[CLIP];
    dv_noise_file noise = noise_of(samples, LONG);
    for (int loud = 0; loud < 2; loud++) {
        for (int i = 0; i < CLIP; i++)
            clip[i] = (i & 1 ? 1.0F : -1.0F) * (loud ? 1.1e-6F : 0.9e-6F);
        memcpy(before, clip, sizeof clip);
        dv_noise_add(&noise, 0, 1, 0, clip, CLIP);
        int changed = 0;
        for (int i = 0; i < CLIP; i++)
            changed += before[i] != clip[i];
        assert_int_equal(changed > 0, loud);
    }
    make_sound(7, clip, CLIP);
    memcpy(before, clip, sizeof clip);
    memset(samples, 0, sizeof samples);
    dv_noise_add(&noise, 0, 1, -60, clip, CLIP);
    assert_memory_equal(before, clip, sizeof clip);
}

/* All starts are possible and equally likely: each tenth is hit within six standard deviations. */
static void starts_are_uniform(void **state)
{
    (void)state;
    enum { KEYS = 20000, PARTS = 10 };
    static const int64_t lengths[] = {CLIP + 39, 40}, starts = 40;
    for (int k = 0; k < 2; k++) {
        dv_noise_file noise = {.audio = {.count = lengths[k]}};
        int counts[PARTS] = {0}, least = 0, most = 0;
        for (uint64_t key = 0; key < KEYS; key++) {
            int64_t start = dv_noise_start(&noise, 9, key, CLIP);
            assert_in_range(start, 0, starts - 1);
            counts[start * PARTS / starts]++;
            least += start == 0;
            most += start == starts - 1;
        }
        assert_true(least > KEYS / 80 && most > KEYS / 80);
        for (int i = 0; i < PARTS; i++)
            assert_in_range(counts[i], KEYS / PARTS - 250, KEYS / PARTS + 250);
    }
    dv_noise_file fits = {.audio = {.count = CLIP}};
    assert_int_equal(dv_noise_start(&fits, 9, 1, CLIP), 0);
}

/* ---- Sharing ---- */

enum { CLIPS = 301 };

static void keys_name_clips(void **state)
{
    (void)state;
    uint64_t key = dv_noise_key("3", "some/folder/3_ann_0.wav");
    assert_true(key == dv_noise_key("3", "3_ann_0.wav"));
    assert_true(key == dv_noise_key("3", "/3_ann_0.wav"));
    assert_true(key != dv_noise_key("3", "3_ann_1.wav"));
    assert_true(key != dv_noise_key("4", "3_ann_0.wav"));
    assert_true(dv_noise_key("a", "b") != dv_noise_key("ab", ""));
}

static void files_share_the_clips(void **state)
{
    (void)state;
    uint64_t keys[CLIPS], turned[CLIPS];
    size_t which[CLIPS], again[CLIPS], in_place = 0, seeded = 0;
    for (size_t i = 0; i < CLIPS; i++) {
        keys[i] = i * 7919;
        turned[CLIPS - 1 - i] = keys[i];
    }
    for (size_t files = 1; files <= 7; files++) {
        int counts[7] = {0};
        must(dv_noise_share(1, keys, CLIPS, files, which));
        for (size_t i = 0; i < CLIPS; i++) {
            assert_true(which[i] < files);
            counts[which[i]]++;
        }
        for (size_t k = 0; k < files; k++)
            assert_in_range(counts[k], CLIPS / files, (CLIPS + files - 1) / files);
    }
    must(dv_noise_share(1, turned, CLIPS, 7, again)); /* depends on the clip, not on its place */
    for (size_t i = 0; i < CLIPS; i++) {
        assert_int_equal(again[CLIPS - 1 - i], which[i]);
        in_place += which[i] == i % 7;
    }
    must(dv_noise_share(2, keys, CLIPS, 7, again));
    for (size_t i = 0; i < CLIPS; i++)
        seeded += which[i] == again[i];
    assert_in_range(in_place, 20, 70); /* 43 by chance */
    assert_in_range(seeded, 20, 70);
}

/* ---- A data set ---- */

enum { WORDS = 12 };

typedef struct fixture {
    char folder[PATH_SIZE];
    dv_frontend *frontend;
    dv_dataset dataset;
    dv_noise_files noises;
} fixture;

static void open_fixture(fixture *f, const char *folder, const char *noises)
{
    char name[PATH_SIZE];
    *f = (fixture){.frontend = NULL};
    make_subfolder(folder, "clips");
    make_subfolder(folder, "noises");
    path_in(folder, "clips", f->folder);
    for (int i = 0; i < WORDS; i++) {
        snprintf(name, sizeof name, "%d_ann_%d.wav", i % 3, i);
        write_sound(f->folder, name, i, CLIP + i);
    }
    write_sound(folder, "noises/a.wav", 200, LONG);
    write_sound(folder, "noises/b.wav", 201, SHORT);
    dv_features_config config;
    must(dv_fields_default(dv_features_fields, &config));
    must(dv_frontend_create(&config, &f->frontend));
    open_good(f->folder, &f->dataset);
    must(dv_dataset_load(&f->dataset, f->frontend, 2, NULL));
    must(dv_noise_files_read(path_in(folder, noises, name), RATE, &f->noises));
}

static void close_fixture(fixture *f)
{
    dv_dataset_free(&f->dataset);
    dv_noise_files_free(&f->noises);
    dv_frontend_free(f->frontend);
}

/* Asserts that the clip's samples are its file, plus `noise` unless NULL, prepared by the
   front-end. */
static void require_sound(const fixture *f, const dv_clip *clip, const dv_noise_file *noise,
                          const dv_noise_mix *mix)
{
    dv_audio audio;
    must(dv_audio_read(clip->path, RATE, 2, NULL, &audio));
    assert_int_equal(clip->count, audio.count);
    if (noise != NULL)
        dv_noise_add(noise, mix->seed,
                     dv_noise_key(f->dataset.labels[clip->label], file_name(clip)), mix->snr,
                     audio.samples, audio.count);
    assert_int_equal(clip->center, dv_frontend_prepare(f->frontend, audio.samples, audio.count));
    assert_memory_equal(clip->samples, audio.samples, (size_t)audio.count * sizeof(float));
    dv_audio_free(&audio);
}

static void noise_is_under_the_frontend(void **state)
{
    fixture f;
    open_fixture(&f, *state, "noises");
    static const int64_t chosen[] = {1, 2, 4, 7, 8, 11};
    const dv_noise_mix loud = {.snr = 0, .seed = 5}, soft = {.snr = 30, .seed = 5};
    const dv_noise_mix *mixes[] = {&loud, &soft};
    must(dv_dataset_give_noises(&f.dataset, chosen, 6, &f.noises, 5));
    int of_first = 0;
    for (int k = 0; k < 6; k++)
        of_first += f.dataset.clips[chosen[k]].noise == &f.noises.items[0];
    assert_int_equal(of_first, 3);
    for (int m = 0; m < 2; m++) {
        must(dv_dataset_load_noisy(&f.dataset, f.frontend, 2, mixes[m], NULL));
        for (int i = 0, k = 0; i < WORDS; i++) {
            const dv_clip *clip = &f.dataset.clips[i];
            bool noisy = k < 6 && chosen[k] == i;
            assert_int_equal(clip->noise != NULL, noisy);
            require_sound(&f, clip, clip->noise, mixes[m]);
            k += noisy;
        }
    }
    must(dv_dataset_load_noisy(&f.dataset, f.frontend, 2, NULL, NULL));
    for (int i = 0; i < WORDS; i++)
        require_sound(&f, &f.dataset.clips[i], NULL, NULL);
    must(dv_dataset_give_noises(&f.dataset, chosen, 1, &f.noises,
                                5)); /* the other clips lose their noises */
    assert_non_null(f.dataset.clips[1].noise);
    assert_null(f.dataset.clips[2].noise);
    close_fixture(&f);
}

/* A subset of the clips gets the same stretch of a noise as among all clips. */
static void a_subset_gets_the_same_noise(void **state)
{
    fixture f;
    float before[CLIP + 8];
    open_fixture(&f, *state, "noises/a.wav");
    int64_t all[WORDS];
    for (int i = 0; i < WORDS; i++)
        all[i] = i;
    const dv_noise_mix mix = {.snr = 5, .seed = 1};
    must(dv_dataset_give_noises(&f.dataset, all, WORDS, &f.noises, mix.seed));
    must(dv_dataset_load_noisy(&f.dataset, f.frontend, 2, &mix, NULL));
    const dv_clip *clip = &f.dataset.clips[6];
    size_t size = (size_t)clip->count * sizeof(float);
    assert_true(size <= sizeof before);
    memcpy(before, clip->samples, size);
    must(dv_dataset_load(&f.dataset, f.frontend, 2, NULL));
    assert_memory_not_equal(before, clip->samples, size);
    must(dv_dataset_give_noises(&f.dataset, all + 6, 2, &f.noises, mix.seed));
    must(dv_dataset_load_noisy(&f.dataset, f.frontend, 2, &mix, NULL));
    assert_memory_equal(before, clip->samples, size);
    close_fixture(&f);
}

static void a_file_that_goes_is_left_out(void **state)
{
    fixture f;
    open_fixture(&f, *state, "noises");
    static const int64_t chosen[] = {3, 4, 5};
    const dv_noise_mix mix = {.snr = 10, .seed = 1};
    must(dv_dataset_give_noises(&f.dataset, chosen, 3, &f.noises, mix.seed));
    assert_int_equal(unlink(f.dataset.clips[3].path), 0);
    assert_int_equal(unlink(f.dataset.clips[0].path), 0); /* this file is not read again */
    must(dv_dataset_load_noisy(&f.dataset, f.frontend, 2, &mix, NULL));
    assert_int_equal(f.dataset.count, WORDS - 1);
    assert_int_equal(f.dataset.skipped, 1);
    assert_null(f.dataset.clips[2].noise);
    require_sound(&f, &f.dataset.clips[3], f.dataset.clips[3].noise, &mix);
    assert_non_null(f.dataset.clips[4].noise);
    assert_null(f.dataset.clips[5].noise);
    close_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(lists_folders_and_files),
        IN_FOLDER(refusals),
        IN_FOLDER(reads_at_the_rate),
        cmocka_unit_test(ratio_is_as_asked),
        cmocka_unit_test(a_stretch_is_added),
        cmocka_unit_test(same_stretch_at_every_ratio),
        cmocka_unit_test(silence_stays_as_it_is),
        cmocka_unit_test(starts_are_uniform),
        cmocka_unit_test(keys_name_clips),
        cmocka_unit_test(files_share_the_clips),
        IN_FOLDER(noise_is_under_the_frontend),
        IN_FOLDER(a_subset_gets_the_same_noise),
        IN_FOLDER(a_file_that_goes_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
