// Draws the page's figures in the reader's language and colours, and moves them by slider, menu and keyboard.
(async () => {
  "use strict";
  const root = document.documentElement;
  const state = {};

  // What stands in the page as gzip in base 64.
  async function unpack(id) {
    const bytes = Uint8Array.from(atob(document.getElementById(id).textContent), (one) => one.charCodeAt(0));
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
  }

  // Dates in Japanese; English ones are built in.
  const JAPANESE = {
    moduleType: "locale", name: "ja", dictionary: {}, format: {
      days: [..."日月火水木金土"].map((one) => one + "曜日"), shortDays: [..."日月火水木金土"],
      months: Array.from({ length: 12 }, (_, i) => `${i + 1}月`),
      shortMonths: Array.from({ length: 12 }, (_, i) => `${i + 1}月`),
      date: "%Y年%-m月%-d日", year: "%Y年", month: "%Y年%-m月", dayMonth: "%-m月%-d日", dayMonthYear: "%Y年%-m月%-d日",
    },
  };

  // Whether what may scroll sideways does so, for the hint above it, and whether more lies behind its right edge.
  const boxes = [...document.querySelectorAll(".wide")];
  function edge(box) {
    box.parentElement.classList.toggle("more", box.scrollLeft + box.clientWidth < box.scrollWidth - 1);
  }
  function hints() {
    boxes.forEach(edge);
    document.querySelectorAll(".hint").forEach((one) => {
      const wide = [...one.parentElement.querySelectorAll(".wide")];
      one.hidden = !wide.some((box) => box.scrollWidth > box.clientWidth + 1);
    });
  }
  boxes.forEach((box) => box.addEventListener("scroll", () => edge(box), { passive: true }));

  // Words without Plotly: the language must switch even where the plots cannot be drawn.
  function translate(to) {
    root.dataset.lang = root.lang = to;
    document.querySelectorAll("button[data-to]").forEach((one) => one.setAttribute("aria-pressed", one.dataset.to === to));
    document.querySelectorAll("option[data-en]").forEach((one) => { one.textContent = one.dataset[to]; });
    hints();
  }
  const buttons = (then) => document.querySelectorAll("button[data-to]").forEach((one) =>
    one.addEventListener("click", () => then(one.dataset.to)));
  addEventListener("resize", hints);
  translate(root.dataset.lang);
  if (typeof DecompressionStream === "undefined") {
    document.getElementById("old").hidden = false;
    buttons(translate);
    return;
  }
  const [library, data] = await Promise.all([unpack("library"), unpack("data")]);
  const script = document.createElement("script");
  script.textContent = library;
  document.head.append(script);
  Plotly.register(JAPANESE);
  const { figures, words, titles } = JSON.parse(data);
  const language = () => root.dataset.lang;
  const ink = (name) => getComputedStyle(root).getPropertyValue("--" + name).trim();

  // Texts stand in a figure as {say: number}, colours as {ink: name}.
  function resolve(value) {
    if (Array.isArray(value)) return value.length > 1000 && typeof value[0] !== "object" ? value : value.map(resolve);
    if (value === null || typeof value !== "object") return value;
    if ("say" in value) return words[value.say][language() === "ja" ? 1 : 0];
    if ("ink" in value) return ink(value.ink);
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, resolve(one)]));
  }

  function axes(layout) {
    const common = {
      gridcolor: ink("line"), linecolor: ink("soft"), zerolinecolor: ink("soft"), tickcolor: ink("soft"),
      automargin: true, fixedrange: matchMedia("(pointer: coarse)").matches,
    };
    const found = { xaxis: {}, yaxis: {}, ...layout };
    for (const key of Object.keys(found))
      if (/^[xy]axis\d*$/.test(key)) found[key] = { ...common, ...found[key] };
    return found;
  }

  function frame(key) {
    const { groups } = figures[key];
    if (!groups.length) return null;
    const group = groups[state[key].group];
    state[key].frame = Math.min(state[key].frame, group.frames.length - 1);
    return group.frames[state[key].frame];
  }

  function draw(key) {
    const figure = figures[key];
    const data = resolve(figure.data);
    const layout = axes(resolve(figure.layout));
    const now = frame(key);
    if (now) {
      data.forEach((trace, i) => {
        // A line shares the frame's times, an area brings its own.
        const own = now.ys[i];
        [trace.x, trace.y] = Array.isArray(own) ? [now.x, own] : [own.x, own.y];
      });
      layout.shapes = [...(layout.shapes || []), ...(now.lines || []).map((x) => ({
        type: "line", x0: x, x1: x, yref: "paper", y0: 0, y1: 1, line: { color: ink("soft"), width: 1, dash: "dot" },
      }))];
      controls(key, resolve(now.label));
      if (now.title) layout.yaxis.title = { text: resolve(now.title) };
    }
    Object.entries(state[key].seen).forEach(([i, seen]) => { data[i].visible = seen; });
    const plot = document.getElementById(key);
    const narrow = plot.clientWidth < 480;
    // A narrow plot's legend has few entries beside one another; it must not take the picture's height.
    const entries = new Set(data.filter((one) => one.showlegend !== false && one.name).map((one) => one.legendgroup || one.name));
    const height = figure.height + (narrow ? 15 * Math.max(0, entries.size - 3) : 0);
    plot.style.height = `${height}px`;
    layout.legend = { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", xanchor: "left", ...layout.legend };
    Plotly.react(key, data, {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", hovermode: "closest",
      dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom",
      font: { color: ink("text"), size: narrow ? 11 : 12.5, family: getComputedStyle(document.body).fontFamily },
      hoverlabel: { bgcolor: ink("sheet"), bordercolor: ink("soft"), font: { color: ink("text") } },
      height, margin: { l: narrow ? 44 : 60, r: 14, t: 14, b: 44 }, ...layout,
    }, { displayModeBar: false, responsive: true, locale: language() });
  }

  function controls(key, label) {
    const each = (kind, then) => document.querySelectorAll(`${kind}[data-for="${key}"]`).forEach(then);
    each("output", (one) => { one.textContent = label; });
    each("input", (one) => {
      one.max = figures[key].groups[state[key].group].frames.length - 1;
      one.value = state[key].frame;
      one.setAttribute("aria-valuetext", label);
    });
    each("button", (one) => {
      const next = state[key].frame + Number(one.dataset.by);
      one.disabled = next < 0 || next > Number(figures[key].groups[state[key].group].frames.length - 1);
    });
  }

  function speak(to) {
    translate(to);
    document.title = titles[to];
    Object.keys(figures).forEach(draw);
  }

  // Move or zoom the axis of time of a plot.
  function turn(key, about) {
    const plot = document.getElementById(key);
    const update = {};
    for (const name of Object.keys(plot._fullLayout).filter((one) => /^xaxis\d*$/.test(one))) {
      const axis = plot._fullLayout[name];
      if (axis.type === "category") continue;
      if (about === "all") { update[name + ".autorange"] = true; continue; }
      const [low, high] = axis.range.map((end) => axis.r2l(end));
      const middle = (low + high) / 2 + about.by * (high - low);
      const half = (high - low) / 2 * about.zoom;
      update[name + ".range"] = [axis.l2r(middle - half), axis.l2r(middle + half)];
    }
    Plotly.relayout(key, update);
  }
  const keys = {
    ArrowLeft: { by: -0.25, zoom: 1 }, ArrowRight: { by: 0.25, zoom: 1 }, "+": { by: 0, zoom: 0.5 },
    "=": { by: 0, zoom: 0.5 }, "-": { by: 0, zoom: 2 }, 0: "all", Home: "all",
  };

  function redraw() { Object.keys(figures).forEach(draw); }

  for (const key of Object.keys(figures)) {
    state[key] = { group: 0, frame: 0, seen: {} };
    draw(key);
    const plot = document.getElementById(key);
    // What a reader has hidden by the legend stays hidden when the plot is drawn anew.
    plot.on("plotly_restyle", ([changed, which]) => {
      if ("visible" in changed) which.forEach((i) => { state[key].seen[i] = plot.data[i].visible; });
    });
    plot.addEventListener("keydown", (event) => {
      if (!(event.key in keys) || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      turn(key, keys[event.key]);
    });
  }
  document.querySelectorAll("input[type=range][data-for]").forEach((one) => one.addEventListener("input", () => {
    state[one.dataset.for].frame = Number(one.value);
    draw(one.dataset.for);
  }));
  document.querySelectorAll("button[data-by]").forEach((one) => one.addEventListener("click", () => {
    state[one.dataset.for].frame += Number(one.dataset.by);
    draw(one.dataset.for);
  }));
  document.querySelectorAll("select[data-for]").forEach((one) => one.addEventListener("change", () => {
    state[one.dataset.for].group = Number(one.value);
    draw(one.dataset.for);
  }));
  buttons(speak);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  // On paper colours are the light sheet's and the plots as wide as the paper.
  matchMedia("print").addEventListener("change", redraw);
  addEventListener("beforeprint", () => Object.keys(figures).forEach((key) => Plotly.relayout(key, { width: 680 })));
  addEventListener("afterprint", redraw);
  speak(language());
})();
