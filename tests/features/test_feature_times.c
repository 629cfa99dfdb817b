/* Sizes of the front-end that are given in time. */
#include "frontends/features/features.h"
#include "tests/support/tree_helpers.h"

/* A section, its n_fft, window and hop in samples, and its last note. */
typedef struct sizes_case {
    const char *section;
    int64_t n_fft, window, hop;
    const char *note; /* part of the note, NULL for no note */
} sizes_case;

static void test_times_become_samples(void **state)
{
    static const sizes_case cases[] = {
        {"{window: 25 ms, hop: 16 ms}", 1024, 200, 128, NULL},
        {"{sample_rate: 16000, window: 25ms, hop: 10 ms, n_fft: auto}", 512, 400, 160, NULL},
        {"{sample_rate: 44100, window: 25 ms, hop: 12.5 ms, n_fft: auto}", 2048, 1103, 551, NULL},
        {"{sample_rate: 16000, window: 64 ms, hop: 256, n_fft: 64 ms}", 1024, 1024, 256, NULL},
        {"{window: 512, n_fft: auto}", 512, 512, 256, NULL},
        {"{n_fft: auto}", 1024, 1024, 256, NULL},
        {"{window: 10, hop: 5, n_fft: auto}", 16, 10, 5, NULL},
        {"{}", 1024, 1024, 256, NULL},
        {"{sample_rate: 16000}", 1024, 1024, 256, "features.hop has its default in samples"},
        {"{sample_rate: 16000, hop: 16 ms}", 1024, 1024, 256, "features.window has its default"},
        {"{sample_rate: 8000}", 1024, 1024, 256, NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        dv_features_resolved resolved;
        dv_features_config config;
        dv_tree *section = parse(cases[i].section);
        if (dv_features_resolve(section, &resolved) != DV_OK ||
            dv_fields_read(dv_features_fields, section, "features", &config) != DV_OK)
            fail_msg("%s: %s", cases[i].section, dv_error_message());
        assert_int_equal(config.n_fft, cases[i].n_fft);
        assert_int_equal(config.window, cases[i].window);
        assert_int_equal(config.hop, cases[i].hop);
        if (cases[i].note == NULL)
            assert_string_equal(resolved.note, "");
        else if (strstr(resolved.note, cases[i].note) == NULL)
            fail_msg("%s: '%s'", cases[i].section, resolved.note);
        dv_tree_free(section);
    }
    dv_features_resolved resolved;
    assert_int_equal(dv_features_resolve(NULL, &resolved), DV_OK);
    assert_string_equal(resolved.note, "");
}

/* A text that is not a time stays for the reader of the fields, which refuses it. */
static void test_other_texts_are_refused(void **state)
{
    static const char *const sections[] = {
        "{hop: 16 s}",   "{hop: ms}",      "{hop: -16 ms}",  "{hop: 0 ms}",    "{hop: 1 2 ms}",
        "{hop: 16 m}",   "{window: auto}", "{hop: nan ms}",  "{hop: 1e9 ms}",  "{hop: 16 ms ms}",
        "{hop: [1 ms]}", "{n_fft: AUTO}",  "{hop: 0.01 ms}", "{hop: 9000 ms}", "{window: 0x10 ms}",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(sections); i++) {
        dv_features_resolved resolved;
        dv_features_config config;
        dv_tree *section = parse(sections[i]);
        dv_status status = dv_features_resolve(section, &resolved);
        if (status == DV_OK)
            status = dv_fields_read(dv_features_fields, section, "features", &config);
        if (status != DV_ECONFIG)
            fail_msg("%s was not refused", sections[i]);
        assert_message("t.yaml:1");
        dv_tree_free(section);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_times_become_samples),
        cmocka_unit_test(test_other_texts_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
