import { render } from "../intervene/intervene";

export default { render };
