// The data of the page, small helpers, and the choice between light and dark.

const data = JSON.parse(document.getElementById("data").textContent);
const SVG = "http://www.w3.org/2000/svg";

/** An element with attributes and children; strings become text, never markup. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** The same for SVG. */
function draw(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

function count(number, one, many) {
  return `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
}

const whenThemeChanges = [];
const systemIsDark = matchMedia("(prefers-color-scheme: dark)");

function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : systemIsDark.matches;
}

function remembered() {
  try {
    return localStorage.getItem("tfpare-theme");
  } catch {
    return null; // pages from files may have no storage
  }
}

function remember(theme) {
  try {
    localStorage.setItem("tfpare-theme", theme);
  } catch {
    // then it holds for this visit
  }
}

function startTheme() {
  const saved = remembered();
  if (saved === "light" || saved === "dark") document.documentElement.dataset.theme = saved;
  document.getElementById("theme").addEventListener("click", () => {
    const theme = isDark() ? "light" : "dark";
    document.documentElement.dataset.theme = theme;
    remember(theme);
    whenThemeChanges.forEach((react) => react());
  });
  systemIsDark.addEventListener("change", () => whenThemeChanges.forEach((react) => react()));
}
