// The charts. Every one has a table of the same numbers beneath it.

const SLICES = { light: ["#0b7f83", "#e08a00", "#5b5bd6", "#c2410c", "#2f8f46", "#b0348f", "#3b82c4", "#8a6d00"],
  dark: ["#2fb9b3", "#f2a93b", "#9a9aff", "#ff8a5c", "#62c97a", "#e27cc8", "#79b8f2", "#d6b93f"] };
const SLICE_COUNT = 8;
let drawn = [];

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

function megabytes(value) {
  return value >= 1e6 ? `${(value / 1e6).toFixed(1)} MB` : `${(value / 1e3).toFixed(1)} kB`;
}

function milliseconds(value) {
  return `${value.toPrecision(3)} ms`;
}

function setHeight(id, pixels) {
  const canvas = document.getElementById(`chart-${id}`);
  if (canvas) canvas.parentElement.style.height = `${pixels}px`;
}

function chart(id, config) {
  const canvas = document.getElementById(`chart-${id}`);
  if (canvas) drawn.push(new Chart(canvas, config));
}

function axis(title, more = {}) {
  return { grid: { color: colour("line") }, border: { color: colour("line") }, title: { display: Boolean(title), text: title }, ...more };
}

function barChart(id, rows, title, form) {
  if (!rows.names.length) return;
  setHeight(id, Math.min(90 + 26 * rows.names.length, 480));
  const side = (label) => ({ label, data: rows[label], backgroundColor: colour(label), borderRadius: 3, barPercentage: 0.9, categoryPercentage: 0.75 });
  chart(id, {
    type: "bar",
    data: { labels: rows.names, datasets: [side("before"), side("after")] },
    options: {
      indexAxis: "y",
      scales: { x: axis(title, { ticks: { callback: (v) => form(v), maxTicksLimit: 6 } }), y: axis("", { grid: { display: false }, ticks: { autoSkip: false } }) },
      plugins: { tooltip: { callbacks: { label: (item) => `${item.dataset.label}: ${form(item.raw)}` } } },
    },
  });
}

function pieCharts(rows) {
  if (!rows.names.length) return;
  const order = rows.names.map((name, k) => k).sort((a, b) => weight(rows, b) - weight(rows, a));
  const shown = order.slice(0, SLICE_COUNT);
  const rest = order.slice(SLICE_COUNT);
  const colours = [...SLICES[isDark() ? "dark" : "light"].slice(0, shown.length), colour("line")];
  const names = [...shown.map((k) => rows.names[k]), "others"];
  for (const side of ["before", "after"]) {
    const values = [...shown.map((k) => rows[side][k]), rest.reduce((sum, k) => sum + rows[side][k], 0)];
    const total = values.reduce((sum, v) => sum + v, 0) || 1;
    chart(`pie-${side}`, {
      type: "pie",
      data: { labels: names, datasets: [{ data: values, backgroundColor: colours, borderColor: colour("card"), borderWidth: 1.5 }] },
      options: {
        plugins: {
          legend: { display: false },
          title: { display: true, text: `${side}: ${count(total, "node", "nodes")}` },
          tooltip: { callbacks: { label: (item) => `${item.label}: ${item.raw} (${((100 * item.raw) / total).toFixed(1)} %)` } },
        },
      },
    });
  }
  const legend = document.getElementById("pie-legend");
  legend.replaceChildren(...names.map((name, k) => {
    const key = make("i");
    key.style.background = colours[k];
    return make("li", {}, key, name);
  }));
}

/** The larger of an op's shares before and after; what is already a sum of several ops comes last. */
function weight(rows, k) {
  const total = (side) => rows[side].reduce((sum, v) => sum + v, 0) || 1;
  return rows.names[k].endsWith(" others") ? -1 : Math.max(rows.before[k] / total("before"), rows.after[k] / total("after"));
}

const medianLines = {
  id: "medianLines",
  afterDatasetsDraw(own, _, options) {
    const { ctx, chartArea, scales } = own;
    (options.values || []).forEach((value, k) => {
      const x = scales.x.getPixelForValue(value);
      ctx.save();
      ctx.strokeStyle = options.colours[k];
      ctx.lineWidth = 1.5;
      ctx.setLineDash([5, 4]);
      ctx.beginPath();
      ctx.moveTo(x, chartArea.top);
      ctx.lineTo(x, chartArea.bottom);
      ctx.stroke();
      ctx.restore();
    });
  },
};

function latencyChart(id, rows) {
  const side = (label, k) => ({
    label: `${label}, median ${milliseconds(rows.medians[k])}` + (rows.beyond[k] ? `, ${count(rows.beyond[k], "call", "calls")} beyond the picture` : ""),
    data: rows.middles.map((x, j) => ({ x, y: 100 * rows.shares[k][j] })),
    borderColor: colour(label), backgroundColor: `${colour(label)}55`, fill: "origin", stepped: "middle", pointRadius: 0, borderWidth: 1.5,
  });
  chart(id, {
    type: "line",
    data: { datasets: [side("before", 0), side("after", 1)] },
    plugins: [medianLines],
    options: {
      interaction: { mode: "nearest", axis: "x", intersect: false },
      scales: { x: axis("milliseconds", { type: "linear" }), y: axis("% of the calls", { beginAtZero: true }) },
      plugins: { medianLines: { values: rows.medians, colours: [colour("before"), colour("after")] }, tooltip: { callbacks: { title: (items) => milliseconds(items[0].parsed.x), label: (item) => `${item.parsed.y.toFixed(1)} %` } } },
    },
  });
}

const values = {
  id: "values",
  afterDatasetsDraw(own, _, options) {
    const { ctx, chartArea, scales } = own;
    ctx.save();
    ctx.strokeStyle = ctx.fillStyle = options.ink;
    ctx.lineWidth = 1.5;
    if (options.zero) {
      const x = scales.x.getPixelForValue(0);
      ctx.setLineDash([5, 4]);
      ctx.beginPath();
      ctx.moveTo(x, chartArea.top);
      ctx.lineTo(x, chartArea.bottom);
      ctx.stroke();
    }
    options.at.forEach((value, k) => {
      ctx.beginPath();
      ctx.arc(scales.x.getPixelForValue(value), scales.y.getPixelForValue(k), 4.5, 0, 2 * Math.PI);
      ctx.fill();
    });
    ctx.restore();
  },
};

/** Values as dots on their confidence intervals, one a row; `zero` also marks where no difference is. */
function intervalChart(id, rows) {
  if (!rows) return;
  setHeight(id, 80 + 34 * rows.names.length);
  const ends = rows.spans.map((span, k) => span || [rows.values[k], rows.values[k]]);
  const all = [...ends.flat(), ...rows.values, ...(rows.zero ? [0] : [])];
  const margin = 0.12 * (Math.max(...all) - Math.min(...all)) || 0.01 * Math.abs(all[0]) || 0.01;
  const short = (v) => String(Number(v.toPrecision(4)));
  const tell = (k) => short(rows.values[k]) + (rows.spans[k] ? `, between ${ends[k].map(short).join(" and ")}` : "");
  const paint = rows.names.map((name) => (name === "before" ? colour("before") : colour("after")));
  chart(id, {
    type: "bar",
    data: { labels: rows.names, datasets: [{ data: ends, backgroundColor: paint, borderRadius: 3, borderSkipped: false, barThickness: 10 }] },
    plugins: [values],
    options: {
      indexAxis: "y",
      scales: {
        x: axis(rows.axis, { min: Math.min(...all) - margin, max: Math.max(...all) + margin, ticks: { callback: short, includeBounds: false, maxTicksLimit: 6 } }),
        y: axis("", { grid: { display: false }, ticks: { autoSkip: false } }),
      },
      plugins: { legend: { display: false }, values: { at: rows.values, zero: rows.zero, ink: colour("ink") }, tooltip: { callbacks: { label: (item) => tell(item.dataIndex) } } },
    },
  });
}

function layerChart(id, rows) {
  const positive = rows.y.filter((y) => y > 0);
  const floor = positive.length ? Math.min(...positive) / 3 : 1e-9;
  const points = rows.x.map((x, k) => ({ x, y: Math.max(rows.y[k], floor), k }));
  const equal = points.filter((p) => !(rows.y[p.k] > 0));
  const apart = points.filter((p) => rows.y[p.k] > 0);
  const tell = (item) => [rows.names[item.raw.k], `${rows.ops[item.raw.k]}: ${rows.y[item.raw.k] > 0 ? rows.y[item.raw.k].toExponential(1) : "equal"}`];
  chart(id, {
    type: "scatter",
    data: { datasets: [
      { label: "differs by", data: apart, backgroundColor: colour("after"), pointRadius: 3.5 },
      { label: "equal", data: equal, backgroundColor: "transparent", borderColor: colour("before"), borderWidth: 1.5, pointRadius: 3.5 },
    ] },
    options: {
      scales: {
        x: axis("depth: nodes from the input"),
        y: axis("relative difference", { type: "logarithmic", ticks: { callback: (v) => (Math.log10(v) % 1 === 0 ? v.toExponential(0) : "") } }),
      },
      plugins: { tooltip: { callbacks: { label: tell } } },
    },
  });
}

function drawCharts() {
  drawn.forEach((one) => one.destroy());
  drawn = [];
  Chart.defaults.animation = false;
  Chart.defaults.maintainAspectRatio = false;
  Chart.defaults.color = colour("dim");
  Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
  Chart.defaults.plugins.legend.labels.boxWidth = 14;
  Chart.defaults.plugins.tooltip.displayColors = false;
  barChart("counts", data.counts, "", (v) => v.toLocaleString("en"));
  pieCharts(data.counts);
  barChart("bytes", data.bytes, "", megabytes);
  barChart("times", data.times, "milliseconds a call", milliseconds);
  data.latencies.forEach((rows, k) => latencyChart(`latency-${k}`, rows));
  data.values.forEach((rows, k) => intervalChart(`value-${k}`, rows));
  data.differences.forEach((rows, k) => intervalChart(`difference-${k}`, rows));
  intervalChart("agreement", data.agreement);
  data.layers.forEach((rows, k) => layerChart(`layers-${k}`, rows));
}
