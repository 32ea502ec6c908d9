/* What the C limits of gated cells share: the products of the state with all gates' weights, lanes side by side so that
   all sums stay in registers. GATES is given before. */

#define ALL_LANES _Pragma("GCC unroll 8") for (int j = 0; j < LANES; j++)
#define ALL_GATES _Pragma("GCC unroll 8") for (int g = 0; g < GATES; g++)

typedef row gates[GATES];

/* sums += state V. */
static inline void times_recurrent(gates *sums, const row *state, const row recurrent[GATES][UNITS]) {
    gates found[LANES];
    ALL_LANES ALL_GATES found[j][g] = sums[j][g];
    for (int m = 0; m < UNITS; m++) {
        row own[GATES];
        ALL_GATES own[g] = recurrent[g][m];
        ALL_LANES {
            row one = all(((const float *)&state[j])[m]);
            ALL_GATES found[j][g] += one * own[g];
        }
    }
    ALL_LANES ALL_GATES sums[j][g] = found[j][g];
}

/* back += slopes V^T, in two sums for each lane. */
static inline void times_turned(row *back, const gates *slopes, const row turned[GATES][UNITS]) {
    row even[LANES], odd[LANES];
    ALL_LANES even[j] = back[j], odd[j] = all(0);
    for (int g = 0; g < GATES; g++)
        for (int i = 0; i < UNITS; i += 2) {
            row first = turned[g][i], second = turned[g][i + 1];
            ALL_LANES {
                const float *own = (const float *)&slopes[j][g];
                even[j] += own[i] * first, odd[j] += own[i + 1] * second;
            }
        }
    ALL_LANES back[j] = even[j] + odd[j];
}

/* The gradients over all steps and lanes: of V, of the sums' biases, and of the input's kernel. */
static inline void gradients(const float *x, const row *states, const gates *slopes, const gates *of_input,
                             row recurrent[GATES][UNITS], row *sums, row *kernel, row *bias) {
    for (int g = 0; g < GATES; g++) {
        row found[UNITS], of_sums = all(0), of_kernel = all(0), of_bias = all(0);
        _Pragma("GCC unroll 16") for (int m = 0; m < UNITS; m++) found[m] = all(0);
        for (int t = 0; t < STEPS; t++)
            for (int j = 0; j < LANES; j++) {
                int at = t * LANES + j;
                row slope = slopes[at][g];
                const float *past = (const float *)&states[at];
                _Pragma("GCC unroll 16") for (int m = 0; m < UNITS; m++) found[m] += past[m] * slope;
                of_sums += slope, of_bias += of_input[at][g], of_kernel += x[j + t] * of_input[at][g];
            }
        _Pragma("GCC unroll 16") for (int m = 0; m < UNITS; m++) recurrent[g][m] = found[m];
        sums[g] = of_sums, kernel[g] = of_kernel, bias[g] = of_bias;
    }
}

/* The dense head of one output on the last states: the loss, its gradients, and the slopes at the states. */
static inline float head(const float *x, const row *last, row out, float bias, row *g_out, row *g_bias, row *d_h) {
    float loss = 0;
    *g_out = *g_bias = all(0);
    for (int j = 0; j < LANES; j++) {
        float error = bias + total(last[j] * out) - x[j + STEPS], slope = error * (2.f / LANES);
        loss += error * error / LANES;
        (*g_bias)[0] += slope;
        *g_out += slope * last[j];
        d_h[j] = slope * out;
    }
    return loss;
}

/* `rows` rows of Keras's, each with all gates side by side, to rows of each gate. */
static const float *rows_of(const float *at, row *to, int stride, int rows) {
    for (int m = 0; m < rows; m++)
        for (int g = 0; g < GATES; g++) memcpy(&to[g * stride + m], at, UNITS * 4), at += UNITS;
    return at;
}
