/* All sessions of a model give the same answers, and an answer allocates nothing. */
#include "frontends/model/session.h"
#include "tests/support/counted_allocation.h"
#include "tests/support/must.h"
#include "tests/support/noises.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

enum { CLIPS = 40, CLASSES = 10, THREADS = 4 };

/* Sounds of noise at the model's rate, at twice that, and at 44.1 kHz, and their wanted answers. */
typedef struct noises {
    dv_model *model;
    float *samples;
    dv_sound sounds[CLIPS];
    float wanted[CLIPS][CLASSES];
} noises;

static dv_session *session_of(dv_model *model, int capacity, int threads)
{
    dv_session *session;
    const dv_session_options options = {
        .size = sizeof options, .capacity = capacity, .threads = threads};
    must(dv_session_create(model, &options, &session));
    return session;
}

static void answer_each(const noises *s, dv_session *session, float answers[CLIPS][CLASSES])
{
    for (int i = 0; i < CLIPS; i++)
        must(dv_session_sound(session, &s->sounds[i], answers[i], NULL));
}

static int open_model(void **state)
{
    static const int64_t rates[] = {8000, 16000, 44100};
    noises *s = allocated(1, sizeof *s);
    must(dv_model_open("checkpoints/lightweight.safetensors", NULL, &s->model));
    size_t count = (size_t)dv_frontend_samples(dv_model_frontend(s->model));
    s->samples = swelling_noises(CLIPS, count, 3);
    for (size_t i = 0; i < CLIPS; i++)
        s->sounds[i] = (dv_sound){.samples = s->samples + i * count,
                                  .count = count - 17 * i,
                                  .sample_rate = rates[i % 3]};
    dv_session *session = session_of(s->model, 1, 1);
    answer_each(s, session, s->wanted);
    dv_session_free(session);
    assert_true(memcmp(s->wanted[0], s->wanted[1], sizeof s->wanted[0]) != 0);
    *state = s;
    return 0;
}

static int close_model(void **state)
{
    noises *s = *state;
    dv_model_close(s->model);
    free(s->samples);
    free(s);
    return 0;
}

/* Memory is allocated once for each rate and for the longest sound. */
static void an_answer_allocates_nothing(void **state)
{
    const noises *s = *state;
    float answers[CLIPS][CLASSES];
    for (int capacity = 1; capacity <= 16; capacity += 15) {
        dv_session *session = session_of(s->model, capacity, 1);
        must(dv_session_sounds(session, s->sounds, CLIPS, answers[0], NULL, NULL));
        int64_t before = allocation_count();
        answer_each(s, session, answers);
        must(dv_session_sounds(session, s->sounds, CLIPS, answers[0], NULL, NULL));
        assert_int_equal(allocation_count(), before);
        assert_memory_equal(answers, s->wanted, sizeof answers);
        dv_session_free(session);
    }
}

static void capacity_and_threads_change_no_bit(void **state)
{
    static const int capacities[] = {1, 2, 3, 16, 64};
    const noises *s = *state;
    float answers[CLIPS][CLASSES];
    for (size_t i = 0; i < sizeof capacities / sizeof *capacities; i++) {
        for (int threads = 1; threads <= 3; threads++) {
            dv_session *session = session_of(s->model, capacities[i], threads);
            memset(answers, 0, sizeof answers);
            must(dv_session_sounds(session, s->sounds, CLIPS, answers[0], NULL, NULL));
            assert_memory_equal(answers, s->wanted, sizeof answers);
            must(dv_session_sounds(session, s->sounds + 5, 2, answers[5], NULL, NULL));
            assert_memory_equal(answers, s->wanted, sizeof answers);
            dv_session_free(session);
        }
    }
}

typedef struct listener {
    const noises *noises;
    dv_session *session; /* NULL if the thread makes its own */
    float answers[CLIPS][CLASSES];
} listener;

static void *listen_to_all(void *of_listener)
{
    listener *l = of_listener;
    dv_session *own = NULL;
    if (l->session == NULL)
        own = session_of(l->noises->model, 1, 1);
    answer_each(l->noises, own != NULL ? own : l->session, l->answers);
    dv_session_free(own);
    return NULL;
}

/* Sessions work side by side, whether the thread that uses them made them or another. */
static void sessions_know_nothing_of_each_other(void **state)
{
    const noises *s = *state;
    listener *all = allocated(THREADS, sizeof *all);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        all[i].noises = s;
        if (i % 2 == 0)
            all[i].session = session_of(s->model, 1, 1);
    }
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, listen_to_all, &all[i]), 0);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_memory_equal(all[i].answers, s->wanted, sizeof s->wanted);
        dv_session_free(all[i].session);
    }
    free(all);
}

/* The network that was made with the model serves one session after the other. */
static void a_session_gives_back_what_it_borrowed(void **state)
{
    const noises *s = *state;
    float first[CLASSES];
    dv_session *session = session_of(s->model, 1, 1), *beside = session_of(s->model, 1, 1);
    dv_session_free(session);
    int64_t before = allocation_count();
    session = session_of(s->model, 1, 1);
    int64_t borrowed = allocation_count() - before;
    dv_session_free(beside);
    beside = session_of(s->model, 1, 1);
    assert_true(allocation_count() - before - borrowed > 2 * borrowed);
    must(dv_session_sound(session, &s->sounds[0], first, NULL));
    assert_memory_equal(first, s->wanted[0], sizeof first);
    dv_session_free(beside);
    dv_session_free(session);
}

static void a_model_without_sessions_is_closed(void **state)
{
    (void)state;
    dv_model *model;
    must(dv_model_open("checkpoints/lightweight.safetensors", NULL, &model));
    dv_model_close(model);
    assert_int_equal(dv_model_open("checkpoints/none.safetensors", NULL, &model), DV_EIO);
    assert_null(model);
    dv_model_close(NULL);
    dv_session_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_allocates_nothing),
        cmocka_unit_test(capacity_and_threads_change_no_bit),
        cmocka_unit_test(sessions_know_nothing_of_each_other),
        cmocka_unit_test(a_session_gives_back_what_it_borrowed),
        cmocka_unit_test(a_model_without_sessions_is_closed),
    };
    return cmocka_run_group_tests(tests, open_model, close_model);
}
