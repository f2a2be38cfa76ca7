(() => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const rgba = (c) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = c;
    canvas.fillRect(0, 0, 1, 1);
    const d = canvas.getImageData(0, 0, 1, 1).data;
    return [d[0], d[1], d[2], d[3] / 255];
  };
  const over = (a, b) => [0, 1, 2].map((i) => a[i] * a[3] + b[i] * (1 - a[3]));
  const behind = (e) => {
    let stack = [];
    for (; e; e = e.parentElement) {
      const c = rgba(getComputedStyle(e).backgroundColor);
      if (c[3] > 0) stack.push(c);
      if (c[3] === 1) break;
    }
    let at = [255, 255, 255];
    for (const c of stack.reverse()) at = over(c, at);
    return at;
  };
  const light = (c) => {
    const [r, g, b] = c.map((v) => ((v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (a, b) => {
    const [x, y] = [light(a), light(b)].sort((p, q) => q - p);
    return (x + 0.05) / (y + 0.05);
  };
  const found = [];
  for (const d of document.querySelectorAll("details")) d.open = true;
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let words = 0;
  for (let n = walk.nextNode(); n; n = walk.nextNode()) {
    const e = n.parentElement;
    if (
      !n.textContent.trim() ||
      ["SCRIPT", "STYLE", "NOSCRIPT", "OPTION"].includes(e.tagName) ||
      e.closest("dialog:not([open])") ||
      !e.checkVisibility() ||
      e.closest(".unseen")
    )
      continue;
    words++;
    const style = getComputedStyle(e),
      back = behind(e),
      r = ratio(over(rgba(style.color), back), back);
    const large =
      parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && parseInt(style.fontWeight) >= 700);
    if (r < (large ? 3 : 4.5))
      found.push(
        "contrast " + r.toFixed(2) + ": " + e.tagName + "." + e.className + " " + n.textContent.trim().slice(0, 30),
      );
  }
  const panel = rgba(getComputedStyle(document.querySelector(".panel")).backgroundColor),
    gap = rgba(getComputedStyle(document.querySelector(".track")).backgroundColor);
  for (const s of document.querySelectorAll("i.nbp, i.script, i.kernel, i.image")) {
    const r = ratio(rgba(getComputedStyle(s).backgroundColor).slice(0, 3), panel.slice(0, 3));
    if (r < 3) found.push("contrast " + r.toFixed(2) + ": stage " + s.className);
  }
  if (document.documentElement.scrollWidth > innerWidth) {
    found.push("the page is " + document.documentElement.scrollWidth + " wide, the window " + innerWidth);
    for (const e of document.querySelectorAll("body *"))
      if (e.getBoundingClientRect().right > innerWidth + 1 && !e.closest(".wide, pre, .skip, .unseen"))
        found.push("too wide: " + e.tagName + "." + e.className + " " + Math.round(e.getBoundingClientRect().right));
  }
  if (words < 100) found.push("only " + words + " words were looked at");
  return found.slice(0, 20);
})();
