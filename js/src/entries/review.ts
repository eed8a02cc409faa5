import { render } from "../review/review";

export default { render };
