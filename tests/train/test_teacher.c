/*
 * Students learn the answers of their teachers.
 *
 *     test_teacher [DEVICE]     on ref and cpu, or on the backend of a module
 */
#include "frontends/model/checkpoint.h"
#include "frontends/model/transfer.h"
#include "tests/support/each_backend.h"
#include "tests/support/scratch.h"
#include "tests/support/trial.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

static tested_backends under_test; /* set by main */

enum { TRAIN = 11, VALIDATION = 6, EPOCHS = 5 };
static const double rate = 0.03;

/* Makes a trained model whose head is turned by `turn` classes: it answers k + turn for class k. */
static void make_teacher(trial *teacher, const dv_backend *backend, uint64_t seed, int turn)
{
    float weight[CLASSES * 12], turned[CLASSES * 12], bias[CLASSES], turned_bias[CLASSES];
    trial_open(teacher, backend, trial_plain_model, TRAIN, VALIDATION);
    teacher->task.config.epochs = EPOCHS;
    teacher->task.config.learning_rate = rate;
    teacher->task.config.seed = (int64_t)seed;
    trial_whole(teacher);
    assert_true(trial_last(teacher)->validation_accuracy > 0.9);
    dv_params *params = dv_trainer_params(teacher->trainer);
    int w = dv_params_find(params, "head.weight"), b = dv_params_find(params, "head.bias");
    must(dv_params_read(params, w, DV_BUFFER_VALUES, weight));
    must(dv_params_read(params, b, DV_BUFFER_VALUES, bias));
    for (int k = 0; k < CLASSES; k++) {
        int to = (k + turn) % CLASSES;
        memcpy(turned + to * 12, weight + k * 12, 12 * sizeof *weight);
        turned_bias[to] = bias[k];
    }
    must(dv_params_write(params, w, DV_BUFFER_VALUES, turned));
    must(dv_params_write(params, b, DV_BUFFER_VALUES, turned_bias));
}

/* Makes a student of these teachers (count), without running it. */
static void make_student(trial *student, trial *const *teachers, int count)
{
    student->teacher_count = count;
    for (int i = 0; i < count; i++)
        if (student->teachers[i].model == NULL)
            student->teachers[i].model = teachers[i]->task.model;
    must(trial_create(student));
    for (int i = 0; i < count; i++) {
        char prefix[DV_NAME_SIZE];
        dv_teacher_prefix(i, prefix);
        must(dv_transfer_all(dv_trainer_params(teachers[i]->trainer), prefix,
                             dv_trainer_teachers(student->trainer)));
    }
}

static void open_student(trial *student, const dv_backend *backend, double weight)
{
    trial_open(student, backend, trial_plain_model, TRAIN, VALIDATION);
    student->task.config.teacher_weight = weight;
    student->task.config.epochs = EPOCHS;
    student->task.config.learning_rate = rate;
}

/* A teacher with wrong answers is believed if its weight is large, and not if it is small. */
static void teaches(const dv_backend *backend)
{
    trial teacher, *const teachers[] = {&teacher};
    make_teacher(&teacher, backend, 1, 1);
    for (int i = 0; i < 2; i++) {
        trial student;
        open_student(&student, backend, i == 0 ? 1 : 0.001);
        make_student(&student, teachers, 1);
        must(trial_go(&student));
        double accuracy = trial_last(&student)->validation_accuracy;
        assert_true(i == 0 ? accuracy < 0.1 : accuracy > 0.9);
        trial_close(&student);
    }
    trial_close(&teacher);
}

/* The loss of the first step, by the first values. */
static double first_loss(trial *student)
{
    student->task.config.max_steps = 1;
    must(trial_go(student));
    return student->metrics[0].train_loss;
}

/* A student that is a copy of its teacher has no distance to it. The rest of its loss is that
   without a teacher. */
static void a_copy_is_no_distance_away(const dv_backend *backend)
{
    trial teacher, alone, *const teachers[] = {&teacher};
    make_teacher(&teacher, backend, 1, 0);
    double loss = 0;
    for (int i = 0; i < 2; i++) {
        open_student(&alone, backend, 0.25);
        alone.task.config.max_steps = 1;
        make_student(&alone, teachers, i);
        for (int k = 0; k < dv_trainer_params(alone.trainer)->count; k++) {
            dv_params *params = dv_trainer_params(alone.trainer);
            float values[4096];
            assert_true(params->items[k].count <= 4096);
            must(dv_params_read(dv_trainer_params(teacher.trainer), k, DV_BUFFER_VALUES, values));
            must(dv_params_write(params, k, DV_BUFFER_VALUES, values));
        }
        if (i == 0)
            loss = first_loss(&alone);
        else
            trial_require_near(first_loss(&alone), 0.75 * loss, 1e-3);
        trial_close(&alone);
    }
    trial_close(&teacher);
}

/* Two equal teachers are like one of them; two different ones are not. */
static void several_are_their_mean(const dv_backend *backend)
{
    trial first, second;
    double loss[3];
    make_teacher(&first, backend, 1, 0);
    make_teacher(&second, backend, 2, 2);
    trial *const one[] = {&first, &first}, *const both[] = {&first, &second};
    for (int i = 0; i < 3; i++) {
        trial student;
        open_student(&student, backend, 1);
        student.task.config.max_steps = 1;
        make_student(&student, i == 2 ? both : one, i == 0 ? 1 : 2);
        loss[i] = first_loss(&student);
        trial_close(&student);
    }
    trial_require_near(loss[1], loss[0], 1e-4);
    assert_true(fabs(loss[2] - loss[0]) > 1e-3 * loss[0]);
    trial_close(&first);
    trial_close(&second);
}

/* A teacher's own source makes the same batches as the student's if the features are the same, to
   the bit, recorded or not. */
static void own_features_are_of_the_same_clips(const dv_backend *backend)
{
    trial teacher, runs[2], *const teachers[] = {&teacher};
    dv_clip_source *own = NULL;
    dv_augment_config augment;
    must(dv_fields_default(dv_augment_fields, &augment));
    augment.shift = 0.02;
    augment.gain = 3;
    augment.time_masks = 1;
    make_teacher(&teacher, backend, 1, 0);
    for (int i = 0; i < 2; i++) {
        open_student(&runs[i], backend, 0.5);
        runs[i].task.config.epochs = 2;
        runs[i].augment = augment;
        if (i == 1) {
            must(dv_clip_source_create(runs[i].context, &runs[i].task.dataset,
                                       runs[i].task.frontend, &augment,
                                       runs[i].task.config.batch_size, 1, &own));
            runs[i].teachers[0] =
                (dv_teacher){.model = teacher.task.model, .source = dv_clip_source_get(own)};
        }
        make_student(&runs[i], teachers, 1);
        must(trial_go(&runs[i]));
        if (backend->capture != NULL)
            assert_int_equal(dv_trainer_counters(runs[i].trainer).eager, 1);
    }
    trial_require_same(&runs[1], &runs[0]);
    dv_clip_source_free(own);
    trial_close(&runs[0]);
    trial_close(&runs[1]);
    trial_close(&teacher);
}

/* The teacher's features may have twice as many frames. */
static void own_features_may_differ(const dv_backend *backend)
{
    static const char other_model[] = "layers:\n"
                                      "  - frames:\n"
                                      "  - linear: {units: 12, name: hidden}\n"
                                      "  - global_avgpool:\n"
                                      "  - linear: {units: classes, name: head}\n";
    trial teacher, student, *const teachers[] = {&teacher};
    dv_frontend *frontend;
    dv_clip_source *own;
    const dv_augment_config augment = {0};
    open_student(&student, backend, 0.5);
    dv_features_config features = *dv_frontend_config(student.task.frontend);
    features.hop = 64;
    must(dv_frontend_create(&features, &frontend));
    must(dv_clip_source_create(student.context, &student.task.dataset, frontend, &augment,
                               student.task.config.batch_size, 1, &own));
    trial_open(&teacher, backend, other_model, TRAIN, VALIDATION);
    must(trial_create(&teacher));
    student.teachers[0] =
        (dv_teacher){.model = teacher.task.model, .source = dv_clip_source_get(own)};
    make_student(&student, teachers, 1);
    must(trial_go(&student));
    assert_true(trial_last(&student)->validation_accuracy > 0.9);
    dv_clip_source_free(own); /* before the student closes its context */
    trial_close(&student);
    trial_close(&teacher);
    dv_frontend_free(frontend);
}

/* In FP16, if the backend has it, the losses are nearly those of FP32. */
static void f16_is_near(const dv_backend *backend)
{
    trial teacher, *const teachers[] = {&teacher};
    double loss[2];
    if (!dv_backend_has(backend, DV_F16))
        return;
    make_teacher(&teacher, backend, 1, 0);
    for (int i = 0; i < 2; i++) {
        trial student;
        open_student(&student, backend, 0.5);
        student.task.config.mixed_precision = i == 0 ? DV_MIXED_NONE : DV_MIXED_FP16;
        make_student(&student, teachers, 1);
        loss[i] = first_loss(&student);
        trial_close(&student);
    }
    trial_require_near(loss[1], loss[0], 2e-2);
    trial_close(&teacher);
}

/* A training that is stopped in mid-epoch, saved and resumed ends with the same bytes. The file
   holds nothing of the teacher. */
static void goes_on(const dv_backend *backend, const char *path)
{
    trial teacher, runs[3], *const teachers[] = {&teacher};
    dv_tree *config = parse("{train: {}}"), *labels = parse("[\"0\", \"1\", \"2\"]"), *state;
    dv_checkpoint checkpoint;
    make_teacher(&teacher, backend, 1, 0);
    for (int i = 0; i < 3; i++) { /* the whole training, its first part, its second part */
        open_student(&runs[i], backend, 0.5);
        runs[i].stop_at = i == 1 ? 6 : 0;
        make_student(&runs[i], teachers, 1);
        if (i < 2)
            assert_int_equal(trial_go(&runs[i]), i == 1 ? DV_EINTERRUPTED : DV_OK);
    }
    must(dv_tree_new(DV_TREE_MAP, NULL, 0, &state));
    must(dv_fields_write(dv_train_state_fields, dv_trainer_state_of(runs[1].trainer), state));
    must(dv_checkpoint_write(path, dv_trainer_params(runs[1].trainer), config, labels, state));
    must(dv_checkpoint_open(path, &checkpoint));
    must(dv_fields_read(dv_train_state_fields, checkpoint.state, "state",
                        dv_trainer_state(runs[2].trainer)));
    must(dv_checkpoint_read_all(&checkpoint, dv_trainer_params(runs[2].trainer)));
    dv_checkpoint_close(&checkpoint);
    must(trial_go(&runs[2]));
    trial_require_same(&runs[2], &runs[0]);
    for (int i = 0; i < 3; i++)
        trial_close(&runs[i]);
    trial_close(&teacher);
    dv_tree_free(config);
    dv_tree_free(labels);
    dv_tree_free(state);
}

static void test_resume(void **state)
{
    char path[SCRATCH_PATH_SIZE];
    scratch_path(*state, "teacher.safetensors", path);
    for (int i = 0; i < under_test.count; i++)
        goes_on(under_test.items[i], path);
}

static int run_each(void)
{
    static const backend_test each[] = {
        {"a teacher is believed by its weight", teaches},
        {"a copy is no distance away", a_copy_is_no_distance_away},
        {"several teachers are their mean", several_are_their_mean},
        {"own features of the same clips", own_features_are_of_the_same_clips},
        {"own features of another size", own_features_may_differ},
        {"in FP16", f16_is_near},
    };
    return run_on_each("teacher", &under_test, each, sizeof each / sizeof each[0]);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest others[] = {cmocka_unit_test(test_resume)};
    int status;
    if (!open_backends(argc, argv, &under_test, &status))
        return status;
    int failures = run_each();
    failures += cmocka_run_group_tests_name("others", others, scratch_setup, scratch_teardown);
    return failures != 0;
}
