/*
 * cuBLASLt on the simulated device: D = epilogue(alpha op(A) op(B) + beta C) for F32, F16 and BF16
 * matrices with FP32 sums, and only the calls that a fully connected layer needs. Any other call
 * does not link; any other attribute, type or epilogue is refused.
 *
 * The simulation finds wrong dimensions, leading dimensions, types, transposes and orders; a bias
 * along the wrong side; a workspace that is missing, too small, misaligned, or in use by something
 * else (it is overwritten); an algorithm used for another problem or with pointers less aligned
 * than the heuristic was told; host pointers; memory too small for the layout; and an output that
 * is read although beta is 0. It is stricter than the real library, which leaves some behaviour
 * undefined: overlapping operands and host pointers are errors at once, while on a device the
 * kernel would fail later. The descriptors' status codes were compared with version 13.1 of the
 * real library; those of the calls that need a device follow its header and manual.
 *
 * The simulation cannot show which shapes the real heuristic supports, how much workspace it asks
 * for, speed, and the real order of summation. TF32 is simulated by rounding the operands.
 */
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <new>
#include <vector>

#include <cublasLt.h>

#include "tests/cudasim/interface.h"
#include "tests/cudasim/internal.h"
#include "tests/cudasim/matmul.h"

using cudasim::Layout;
using cudasim::Matmul;
using cudasim::Operation;
using cudasim::Problem;
using cudasim::Range;

struct cublasLtContext {
    int unused;
};

namespace
{
struct Preference {
    std::uint64_t workspace;
    std::uint32_t alignment[4]; /* alignments of A, B, C and D */
    std::uint32_t reduction;    /* mask of the types that partial sums may have */
};

/* A heuristic's answer, valid for one problem only. */
struct Algorithm {
    std::uint64_t problem;
    std::uint64_t workspace;
    std::uint32_t alignment[5]; /* alignments of A, B, C, D and the bias */
    std::uint32_t index;
    std::uint32_t parts_as_output; /* partial sums have the type of D */
};

static_assert(sizeof(Layout) <= sizeof(cublasLtMatrixLayoutOpaque_t), "fits the opaque struct");
static_assert(sizeof(Operation) <= sizeof(cublasLtMatmulDescOpaque_t), "fits the opaque struct");
static_assert(sizeof(Preference) <= sizeof(cublasLtMatmulPreferenceOpaque_t), "fits as well");
static_assert(sizeof(Algorithm) <= sizeof(cublasLtMatmulAlgo_t), "fits the opaque struct");

/* No kernel of the real library needs more than vectors of 16 bytes. */
constexpr std::uint32_t vector_alignment = 16;
constexpr std::size_t workspace_alignment = 256;
constexpr int algorithm_count = 2;

template <typename Inner, typename Opaque> Inner get(const Opaque *opaque)
{
    Inner inner;
    std::memcpy(&inner, opaque, sizeof inner);
    return inner;
}

template <typename Opaque, typename Inner> void put(Opaque *opaque, const Inner &inner)
{
    std::memcpy(opaque, &inner, sizeof inner);
}

template <typename Opaque, typename Inner>
cublasStatus_t create(Opaque **descriptor, const Inner &inner)
{
    if (descriptor == nullptr) {
        return CUBLAS_STATUS_INVALID_VALUE;
    }
    *descriptor = new (std::nothrow) Opaque();
    if (*descriptor == nullptr) {
        return CUBLAS_STATUS_ALLOC_FAILED;
    }
    put(*descriptor, inner);
    return CUBLAS_STATUS_SUCCESS;
}

/* The place of an attribute's value, nullptr if the attribute is not simulated. */
struct Field {
    void *address = nullptr;
    std::size_t bytes = 0;
};

template <typename Value> Field field(Value &value)
{
    return {&value, sizeof value};
}

Field field_of(Layout &layout, cublasLtMatrixLayoutAttribute_t attribute)
{
    switch (attribute) {
    case CUBLASLT_MATRIX_LAYOUT_ORDER:
        return field(layout.order);
    case CUBLASLT_MATRIX_LAYOUT_ROWS:
        return field(layout.rows);
    case CUBLASLT_MATRIX_LAYOUT_COLS:
        return field(layout.columns);
    case CUBLASLT_MATRIX_LAYOUT_LD:
        return field(layout.leading);
    default:
        return {};
    }
}

Field field_of(Operation &operation, cublasLtMatmulDescAttributes_t attribute)
{
    switch (attribute) {
    case CUBLASLT_MATMUL_DESC_TRANSA:
        return field(operation.transpose_a);
    case CUBLASLT_MATMUL_DESC_TRANSB:
        return field(operation.transpose_b);
    case CUBLASLT_MATMUL_DESC_EPILOGUE:
        return field(operation.epilogue);
    case CUBLASLT_MATMUL_DESC_BIAS_POINTER:
        return field(operation.bias);
    case CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE:
        return field(operation.bias_type);
    default:
        return {};
    }
}

Field field_of(Preference &preference, cublasLtMatmulPreferenceAttributes_t attribute)
{
    switch (attribute) {
    case CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES:
        return field(preference.workspace);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES:
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES:
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES:
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES:
        return field(preference.alignment[attribute - CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES]);
    case CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK:
        return field(preference.reduction);
    default:
        return {};
    }
}

template <typename Inner, typename Opaque, typename Attribute>
cublasStatus_t set_attribute(Opaque *opaque, Attribute attribute, const void *buffer,
                             std::size_t bytes)
{
    if (opaque == nullptr || buffer == nullptr) {
        return CUBLAS_STATUS_INVALID_VALUE;
    }
    auto inner = get<Inner>(opaque);
    Field place = field_of(inner, attribute);
    if (place.address == nullptr || place.bytes != bytes) {
        return CUBLAS_STATUS_INVALID_VALUE;
    }
    std::memcpy(place.address, buffer, bytes);
    put(opaque, inner);
    return CUBLAS_STATUS_SUCCESS;
}

void mix(std::uint64_t &hash, std::uint64_t value)
{
    hash = (hash ^ value) * UINT64_C(0x100000001b3);
    hash ^= hash >> 29;
}

/* An FNV-1a hash that tells problems apart; pointers do not count. */
std::uint64_t fingerprint(const Problem &problem)
{
    std::uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (const Layout *layout : {&problem.a, &problem.b, &problem.c, &problem.d}) {
        mix(hash, static_cast<std::uint64_t>(layout->type));
        mix(hash, static_cast<std::uint64_t>(layout->order));
        mix(hash, layout->rows);
        mix(hash, layout->columns);
        mix(hash, static_cast<std::uint64_t>(layout->leading));
    }
    const Operation &operation = problem.operation;
    for (std::int32_t value : {operation.compute, operation.scale, operation.transpose_a,
                               operation.transpose_b, operation.bias_type}) {
        mix(hash, static_cast<std::uint64_t>(value));
    }
    mix(hash, operation.epilogue);
    return hash;
}

std::uint32_t alignment_of(const void *pointer)
{
    auto bits = reinterpret_cast<std::uintptr_t>(pointer) | vector_alignment;
    return static_cast<std::uint32_t>(bits & (~bits + 1));
}

/* Algorithm 0 splits the depth and adds up partial sums in its workspace, in the type of D if the
   caller allows it. Algorithm 1 needs no workspace. */
Algorithm make_algorithm(const Problem &problem, const std::uint32_t alignment[4],
                         std::uint32_t reduction, std::uint32_t index)
{
    Algorithm algorithm{};
    algorithm.problem = fingerprint(problem);
    algorithm.index = index;
    if (index == 0) {
        algorithm.parts_as_output = (reduction & CUBLASLT_REDUCTION_SCHEME_OUTPUT_TYPE) != 0;
        algorithm.workspace =
            cudasim::workspace_bytes(2 * problem.d.rows * problem.d.columns * sizeof(float));
    }
    for (int i = 0; i < 4; i++) {
        algorithm.alignment[i] = std::min(alignment[i], vector_alignment);
    }
    algorithm.alignment[4] = problem.has_bias() ? alignment_of(problem.operation.bias) : 1;
    return algorithm;
}

cublasStatus_t check_alignment(const Algorithm &algorithm, const std::vector<Range> &operands)
{
    for (std::size_t i = 0; i < operands.size(); i++) {
        if (operands[i].start == nullptr || !operands[i].aligned(algorithm.alignment[i])) {
            return CUBLAS_STATUS_INVALID_VALUE;
        }
    }
    return CUBLAS_STATUS_SUCCESS;
}

/* Without the caller's algorithm the library chooses one that fits the workspace. */
Algorithm choose_algorithm(const Problem &problem, const std::vector<Range> &operands,
                           std::size_t workspace)
{
    std::uint32_t alignment[4];
    for (std::size_t i = 0; i < 4; i++) {
        alignment[i] = alignment_of(operands[i].start);
    }
    std::uint32_t any = CUBLASLT_REDUCTION_SCHEME_MASK;
    Algorithm algorithm = make_algorithm(problem, alignment, any, 0);
    return algorithm.workspace <= workspace ? algorithm
                                            : make_algorithm(problem, alignment, any, 1);
}

bool is_host_scalar(const void *pointer)
{
    return pointer != nullptr && !cudasim::in_device_range(pointer);
}

const char *const names[][2] = {
    {"CUBLAS_STATUS_SUCCESS", "success"},
    {"CUBLAS_STATUS_NOT_INITIALIZED", "the library was not initialized"},
    {"CUBLAS_STATUS_ALLOC_FAILED", "the resource allocation failed"},
    {"CUBLAS_STATUS_INVALID_VALUE", "an unsupported value or parameter was passed to the function"},
    {"CUBLAS_STATUS_EXECUTION_FAILED", "the function failed to launch on the GPU"},
    {"CUBLAS_STATUS_NOT_SUPPORTED", "the requested functionality is not supported"},
    {"unrecognized status", "unrecognized status"},
};

/* Describes the statuses that the simulation can return. */
const char *const *describe(cublasStatus_t status)
{
    switch (status) {
    case CUBLAS_STATUS_SUCCESS:
        return names[0];
    case CUBLAS_STATUS_NOT_INITIALIZED:
        return names[1];
    case CUBLAS_STATUS_ALLOC_FAILED:
        return names[2];
    case CUBLAS_STATUS_INVALID_VALUE:
        return names[3];
    case CUBLAS_STATUS_EXECUTION_FAILED:
        return names[4];
    case CUBLAS_STATUS_NOT_SUPPORTED:
        return names[5];
    default:
        return names[6];
    }
}
} // namespace

extern "C" {
cublasStatus_t cublasLtCreate(cublasLtHandle_t *handle)
{
    if (handle == nullptr) {
        return CUBLAS_STATUS_INVALID_VALUE;
    }
    *handle = new (std::nothrow) cublasLtContext();
    return *handle != nullptr ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_ALLOC_FAILED;
}

cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle)
{
    if (handle == nullptr) {
        return CUBLAS_STATUS_INVALID_VALUE;
    }
    delete handle;
    return CUBLAS_STATUS_SUCCESS;
}

std::size_t cublasLtGetVersion(void)
{
    return CUBLAS_VERSION;
}

const char *cublasLtGetStatusName(cublasStatus_t status)
{
    return describe(status)[0];
}

const char *cublasLtGetStatusString(cublasStatus_t status)
{
    return describe(status)[1];
}

/* Any numbers are accepted, as by the real library; the heuristic and the product check them. */
cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t *layout, cudaDataType type,
                                          std::uint64_t rows, std::uint64_t columns,
                                          std::int64_t leading)
{
    return create(layout, Layout{type, CUBLASLT_ORDER_COL, rows, columns, leading});
}

cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout)
{
    delete layout;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t layout,
                                                cublasLtMatrixLayoutAttribute_t attribute,
                                                const void *buffer, std::size_t bytes)
{
    return set_attribute<Layout>(layout, attribute, buffer, bytes);
}

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t *descriptor,
                                        cublasComputeType_t compute, cudaDataType_t scale)
{
    return create(descriptor, Operation{compute, scale, CUBLAS_OP_N, CUBLAS_OP_N,
                                        CUBLASLT_EPILOGUE_DEFAULT, -1, nullptr});
}

cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t descriptor)
{
    delete descriptor;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t operation,
                                              cublasLtMatmulDescAttributes_t attribute,
                                              const void *buffer, std::size_t bytes)
{
    return set_attribute<Operation>(operation, attribute, buffer, bytes);
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t *preference)
{
    return create(preference, Preference{0, {256, 256, 256, 256}, CUBLASLT_REDUCTION_SCHEME_MASK});
}

cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference)
{
    delete preference;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                    cublasLtMatmulPreferenceAttributes_t attribute,
                                                    const void *buffer, std::size_t bytes)
{
    return set_attribute<Preference>(preference, attribute, buffer, bytes);
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t handle,
                                              cublasLtMatmulDesc_t operation,
                                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                              cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t preference, int requested,
                                              cublasLtMatmulHeuristicResult_t results[],
                                              int *returned)
{
    if (handle == nullptr) {
        return CUBLAS_STATUS_NOT_INITIALIZED;
    }
    if (operation == nullptr || a == nullptr || b == nullptr || c == nullptr || d == nullptr ||
        preference == nullptr || requested <= 0 || results == nullptr || returned == nullptr) {
        return CUBLAS_STATUS_INVALID_VALUE;
    }
    *returned = 0;
    Problem problem{get<Operation>(operation), get<Layout>(a), get<Layout>(b), get<Layout>(c),
                    get<Layout>(d)};
    cublasStatus_t status = cudasim::check_problem(problem);
    if (status != CUBLAS_STATUS_SUCCESS) {
        return status;
    }
    auto wish = get<Preference>(preference);
    const std::string products = cudasim::setting("DECAVOX_CUDASIM_PRODUCTS", "1");
    if (products == "unfused" && problem.operation.epilogue != CUBLASLT_EPILOGUE_DEFAULT) {
        return CUBLAS_STATUS_INTERNAL_ERROR;
    }
    bool any = products != "0";
    for (std::uint32_t i = 0; any && i < algorithm_count && *returned < requested; i++) {
        Algorithm algorithm = make_algorithm(problem, wish.alignment, wish.reduction, i);
        if (algorithm.workspace <= wish.workspace) {
            cublasLtMatmulHeuristicResult_t &result = results[(*returned)++];
            result = cublasLtMatmulHeuristicResult_t{};
            put(&result.algo, algorithm);
            result.workspaceSize = algorithm.workspace;
            result.state = CUBLAS_STATUS_SUCCESS;
            result.wavesCount = 1;
        }
    }
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t operation,
                              const void *alpha, const void *a, cublasLtMatrixLayout_t a_layout,
                              const void *b, cublasLtMatrixLayout_t b_layout, const void *beta,
                              const void *c, cublasLtMatrixLayout_t c_layout, void *d,
                              cublasLtMatrixLayout_t d_layout, const cublasLtMatmulAlgo_t *chosen,
                              void *workspace, std::size_t workspace_bytes, cudaStream_t stream)
{
    if (handle == nullptr) {
        return CUBLAS_STATUS_NOT_INITIALIZED;
    }
    if (operation == nullptr || a_layout == nullptr || b_layout == nullptr || c_layout == nullptr ||
        d_layout == nullptr || !is_host_scalar(alpha) || !is_host_scalar(beta)) {
        return CUBLAS_STATUS_INVALID_VALUE;
    }
    Matmul call{{get<Operation>(operation), get<Layout>(a_layout), get<Layout>(b_layout),
                 get<Layout>(c_layout), get<Layout>(d_layout)},
                a,
                b,
                c,
                d,
                workspace,
                0,
                false,
                *static_cast<const float *>(alpha),
                *static_cast<const float *>(beta)};
    cublasStatus_t status = cudasim::check_problem(call.problem);
    if (status != CUBLAS_STATUS_SUCCESS) {
        return status;
    }
    Algorithm algorithm = chosen != nullptr
                              ? get<Algorithm>(chosen)
                              : choose_algorithm(call.problem, call.operands(), workspace_bytes);
    call.workspace_bytes = algorithm.workspace;
    call.parts_as_output = algorithm.parts_as_output != 0;
    bool workspace_fits = algorithm.workspace == 0 ||
                          (workspace != nullptr && workspace_bytes >= algorithm.workspace &&
                           Range{workspace, workspace_bytes}.aligned(workspace_alignment));
    if (algorithm.problem != fingerprint(call.problem) || !workspace_fits) {
        return CUBLAS_STATUS_INVALID_VALUE;
    }
    status = check_alignment(algorithm, call.operands());
    if (status == CUBLAS_STATUS_SUCCESS) {
        status = cudasim::check_memory(call);
    }
    if (status != CUBLAS_STATUS_SUCCESS) {
        return status;
    }
    cudaError_t error =
        cudasim::submit(stream, "cublasLtMatmul", [call] { cudasim::run_matmul(call); });
    return error == cudaSuccess ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_EXECUTION_FAILED;
}
}
