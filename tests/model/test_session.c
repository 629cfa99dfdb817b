/* Sessions: the same answers from all of one model, and nothing allocated by an answer. */
#include "frontends/model/session.h"
#include "engine/base/rng.h"
#include "tests/support/counted_allocation.h"
#include "tests/support/must.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

enum { CLIPS = 40, CLASSES = 10, THREADS = 4 };

/* Noise that is louder in its middle, prepared. */
typedef struct sounds {
    dv_model *model;
    int64_t count, centers[CLIPS];
    float *samples; /* (CLIPS, count) */
    float wanted[CLIPS][CLASSES];
} sounds;

static void answer_all(const sounds *s, dv_session *session, float logits[CLIPS][CLASSES])
{
    for (int i = 0; i < CLIPS; i++)
        must(dv_session_answer(session, s->samples + i * s->count, s->count, s->centers[i],
                               logits[i]));
}

static int open_model(void **state)
{
    sounds *s = allocated(1, sizeof *s);
    dv_rng rng = {.seed = 3, .use = DV_RNG_TEST};
    must(dv_model_open("checkpoints/lightweight.safetensors", &(dv_model_options){.device = "cpu"},
                       &s->model));
    const dv_frontend *frontend = dv_model_frontend(s->model);
    s->count = dv_frontend_samples(frontend);
    s->samples = allocated((size_t)(CLIPS * s->count), sizeof *s->samples);
    for (int64_t i = 0; i < CLIPS * s->count; i++)
        s->samples[i] = (float)dv_rng_normal(&rng, (uint32_t)i) * (float)(i % s->count);
    for (int i = 0; i < CLIPS; i++)
        s->centers[i] = dv_frontend_prepare(frontend, s->samples + i * s->count, s->count);
    dv_session *session;
    must(dv_session_create(s->model, &session));
    answer_all(s, session, s->wanted);
    dv_session_free(session);
    assert_true(memcmp(s->wanted[0], s->wanted[1], sizeof s->wanted[0]) != 0);
    *state = s;
    return 0;
}

static int close_model(void **state)
{
    sounds *s = *state;
    dv_model_close(s->model);
    free(s->samples);
    free(s);
    return 0;
}

static void an_answer_allocates_nothing(void **state)
{
    const sounds *s = *state;
    float logits[CLIPS][CLASSES];
    dv_session *session;
    must(dv_session_create(s->model, &session));
    must(dv_session_answer(session, s->samples, s->count, s->centers[0], logits[0]));
    int64_t before = allocation_count();
    answer_all(s, session, logits);
    assert_int_equal(allocation_count(), before);
    assert_memory_equal(logits, s->wanted, sizeof logits);
    dv_session_free(session);
}

typedef struct listener {
    const sounds *sounds;
    dv_session *session; /* NULL: it makes its own */
    float logits[CLIPS][CLASSES];
} listener;

static void *listen_to_all(void *of_listener)
{
    listener *l = of_listener;
    dv_session *own = NULL;
    if (l->session == NULL)
        must(dv_session_create(l->sounds->model, &own));
    answer_all(l->sounds, own != NULL ? own : l->session, l->logits);
    dv_session_free(own);
    return NULL;
}

/* Side by side, made by the thread that uses them or by another. */
static void sessions_know_nothing_of_each_other(void **state)
{
    const sounds *s = *state;
    listener *all = allocated(THREADS, sizeof *all);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        all[i].sounds = s;
        if (i % 2 == 0)
            must(dv_session_create(s->model, &all[i].session));
    }
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, listen_to_all, &all[i]), 0);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_memory_equal(all[i].logits, s->wanted, sizeof s->wanted);
        dv_session_free(all[i].session);
    }
    free(all);
}

static void a_model_without_sessions_is_closed(void **state)
{
    (void)state;
    dv_model *model;
    must(dv_model_open("checkpoints/lightweight.safetensors", &(dv_model_options){.device = "cpu"},
                       &model));
    dv_model_close(model);
    assert_int_equal(
        dv_model_open("checkpoints/none.safetensors", &(dv_model_options){.device = "cpu"}, &model),
        DV_EIO);
    assert_null(model);
    dv_model_close(NULL);
    dv_session_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_allocates_nothing),
        cmocka_unit_test(sessions_know_nothing_of_each_other),
        cmocka_unit_test(a_model_without_sessions_is_closed),
    };
    return cmocka_run_group_tests(tests, open_model, close_model);
}
