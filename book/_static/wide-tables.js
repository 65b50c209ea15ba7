// Marks tables that are wider than their place, so that groove.css can say that they scroll.
(() => {
  const REGIONS = ".bd-article .pst-scrollable-table-container, .bd-article .cell_output .text_html";
  const mark = () => {
    for (const region of document.querySelectorAll(REGIONS)) {
      const scrolls = region.querySelector("table") && region.scrollWidth > region.clientWidth + 1;
      region.classList.toggle("scrolls", Boolean(scrolls));
    }
  };
  addEventListener("load", mark);
  addEventListener("resize", mark);
})();
