import { render } from "../contrast";

export default { render };
