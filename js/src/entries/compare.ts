import { render } from "../compare/compare";

export default { render };
