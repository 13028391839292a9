// The one thing that Great Expectations' pages let a reader do: leave out what holds.
const SUCCEEDED = ".hide-succeeded-validation-target-child, .hide-succeeded-validations-column-section-target-child";
function show(areShown) {
  for (const mark of document.querySelectorAll(SUCCEEDED)) {
    const isRow = mark.classList.contains("hide-succeeded-validation-target-child");
    const hidden = isRow ? mark.closest("tr") ?? mark.parentElement : mark.closest(".ge-section") ?? mark.parentElement.parentElement;
    hidden.style.display = areShown ? "" : "none";
  }
  const [all, failed] = document.querySelectorAll("label.btn");
  all?.classList.toggle("active", areShown);
  failed?.classList.toggle("active", !areShown);
}
function showAllValidations() { show(true); }
function hideSucceededValidations() { show(false); }
